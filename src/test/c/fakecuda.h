/*
 * The inside of the fake driver: memory whose life is checked, and streams that do nothing until someone waits.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_DEVICE = 101,
       INVALID_CONTEXT = 201, INVALID_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600, ILLEGAL_ADDRESS = 700 };
enum { INVALID_PTX = 218, DISABLE_TIMING = 2, NON_BLOCKING = 1, GREATEST_PRIORITY = -5, ALIGNMENT = 256,
       MOST_BLOCKS_YZ = 65535, MOST_BLOCKS_X = 0x7fffffff };
enum { MAX_PARAMETERS = 64, LOG_BYTES = 1 << 20, LARGE = 64 << 20, SHARED_BY_RIGHT = 48 << 10, DEVICE_KIND = 0,
       HOST_KIND = 1, MAX_DEVICES = 8 };

/* ---- what tests set and see ------------------------------------------------------------------------------------- */

typedef struct {
    const char *text;
    const char *entry;
    uint32_t grid[3];
    uint32_t block[3];
    uint32_t sharedBytes;
    uint32_t count;
    uint32_t sizes[MAX_PARAMETERS];
    void *parameters[MAX_PARAMETERS];
} Launch;

typedef struct {
    const char *name;
    long value;
    long initial;
} Setting;

static Setting settings[] = {
    {"devices", 1, 1},        {"major", 8, 8},           {"minor", 0, 0},
    {"version", 12040, 12040}, {"memory", 1L << 40, 1L << 40}, {"pools", 1, 1},
    {"sharedPerBlock", 166912, 166912}, {"staticShared", 0, 0},   {"turings", 0, 0},
    {"heldByOthers", 0, 0},
};

static struct { char function[64]; int result; int skip; } failures[16];
static int failureCount;
static char callLog[LOG_BYTES];
static size_t callLogLength;
static char jitLog[4096];
static int (*launchCallback)(const Launch *);
static int (*signatureCallback)(const char *text, const char *entry, int32_t *sizes);

static long setting(const char *name) {
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (!strcmp(settings[i].name, name)) return settings[i].value;
    abort();
}

/* ---- what there is ---------------------------------------------------------------------------------------------- */

typedef struct Allocation {
    int kind;
    int live; /* for device memory: between the allocation's turn in its stream and the release's */
    char *memory;
    size_t bytes;
    size_t reserved; /* of device memory: the bytes of the block it lies in, if it is the pool's */
    int device;
    struct Allocation *next;
} Allocation;

/* A block that the pool keeps, for an allocation that it is large enough for; blocks are never joined. */
typedef struct Block { size_t bytes; struct Block *next; } Block;

typedef enum { COPY_TO_DEVICE, COPY_TO_HOST, COPY_ON_DEVICE, SET, LAUNCH, WAIT, APPEAR, VANISH, CALL } Kind;

typedef struct Stream Stream;

typedef struct Op {
    Kind kind;
    char *target;
    const char *source;
    size_t bytes;
    int value;
    Launch *launch;
    Stream *awaited;
    long awaitedTicket;
    Allocation *allocation;
    int (*call)(void *);
    void *argument;
    struct Op *next;
} Op;

struct Stream {
    int device;
    Op *first, *last;
    long queued, done;
    double clock;  /* microseconds that its work so far takes, waits for other streams included */
    double *after; /* the clock after each ticket */
    Stream *next;
};

typedef struct { int device, timed; Stream *stream; long ticket; } Event;
typedef struct { int device; char *text; } Module;
typedef struct { int device; Module *module; char *entry; uint32_t count; int32_t sizes[MAX_PARAMETERS]; int dynamicShared; } Function;

static Allocation *allocations;
static Stream *streams;
static Block *kept;
static long usedBytes; /* of device memory, the blocks that the pool keeps among it */
static long retained[MAX_DEVICES], events, modules;
static int initialized, fault;
static __thread long *current; /* the context: a pointer to how often its device was retained */

static int currentDevice(void) { return (int) (current - retained); }

/* ---- bookkeeping ------------------------------------------------------------------------------------------------ */

static void note(const char *name, long value) {
    char line[128];
    int length = snprintf(line, sizeof line, value < 0 ? "%s\n" : "%s %ld\n", name, value);
    if (callLogLength + length < LOG_BYTES) {
        memcpy(callLog + callLogLength, line, length + 1);
        callLogLength += length;
    }
}

static int injected(const char *name) {
    for (int i = 0; i < failureCount; i++)
        if (!strcmp(failures[i].function, name) && failures[i].skip-- <= 0) {
            int result = failures[i].result;
            failures[i] = failures[--failureCount];
            return result;
        }
    return SUCCESS;
}

/* Begins a call that needs no context. */
static int enterDriver(const char *name) {
    note(name, -1);
    int result = injected(name);
    return result ? result : initialized ? SUCCESS : NOT_INITIALIZED;
}

/* Begins a call that needs one, and reports what went wrong in queued work. */
static int enter(const char *name, long value) {
    note(name, value);
    int result = injected(name);
    if (result) return result;
    if (!initialized) return NOT_INITIALIZED;
    return fault ? fault : current ? SUCCESS : INVALID_CONTEXT;
}

/* The driver is used by several threads; work is done by whoever waits for it. */
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static void leave(int *locked) { (void) locked; pthread_mutex_unlock(&lock); }
#define LOCKED() __attribute__((cleanup(leave), unused)) int locked_ = pthread_mutex_lock(&lock)

#define ENTER_DRIVER() LOCKED(); do { int r_ = enterDriver(__func__); if (r_) return r_; } while (0)
#define ENTER(value) LOCKED(); do { int r_ = enter(__func__, value); if (r_) return r_; } while (0)

/* A stream, an event, a module or a function is of one context, and of no use in another. */
#define OF_CURRENT(object) do { if ((object)->device != currentDevice()) return INVALID_HANDLE; } while (0)

static Allocation *holding(int kind, const void *address, size_t bytes) {
    for (Allocation *a = allocations; a; a = a->next)
        if (a->kind == kind && a->live && (const char *) address >= a->memory
                && (const char *) address + bytes <= a->memory + a->bytes)
            return a;
    return NULL;
}

/* The smallest block of the pool that is large enough, else as much new memory, if there is. */
static size_t reserve(size_t bytes) {
    Block **best = NULL;
    for (Block **b = &kept; *b; b = &(*b)->next)
        if ((*b)->bytes >= bytes && (!best || (*b)->bytes < (*best)->bytes)) best = b;
    if (best) {
        Block *block = *best;
        size_t found = block->bytes;
        *best = block->next;
        free(block);
        return found;
    }
    if (usedBytes + (long) bytes > setting("memory") - setting("heldByOthers")) return 0;
    usedBytes += bytes;
    return bytes;
}

static void keep(size_t bytes) {
    Block *block = malloc(sizeof *block);
    *block = (Block) {bytes, kept};
    kept = block;
}

static void trim(void) {
    while (kept) {
        Block *next = kept->next;
        usedBytes -= kept->bytes;
        free(kept);
        kept = next;
    }
}

static Allocation *newAllocation(int kind, size_t bytes, int live) {
    size_t reserved = kind == DEVICE_KIND ? reserve(bytes) : bytes;
    if (!reserved) return NULL;
    Allocation *a = calloc(1, sizeof *a);
    a->kind = kind;
    a->live = live;
    a->bytes = bytes;
    a->reserved = reserved;
    a->device = currentDevice();
    /* No address is a multiple of more than is promised. */
    if (bytes >= LARGE) {
        a->memory = ALIGNMENT + (char *) mmap(NULL, bytes + ALIGNMENT, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    } else {
        a->memory = ALIGNMENT + (char *) aligned_alloc(4096, (bytes + ALIGNMENT + 4095) & -4096L);
        memset(a->memory, 0xA5, bytes);
    }
    a->next = allocations;
    allocations = a;
    return a;
}

static void destroyAllocation(Allocation *a) {
    Allocation **link = &allocations;
    while (*link != a) link = &(*link)->next;
    *link = a->next;
    if (a->kind == DEVICE_KIND) keep(a->reserved);
    if (a->bytes >= LARGE) {
        munmap(a->memory - ALIGNMENT, a->bytes + ALIGNMENT);
    } else {
        memset(a->memory, 0xDD, a->bytes);
        free(a->memory - ALIGNMENT);
    }
    free(a);
}

/* ---- queues ----------------------------------------------------------------------------------------------------- */

static int run(Stream *stream, long ticket);

/* Copies; pieces that hold the bytes already are not written, so that copies of gigabytes of nothing take no memory. */
static int copy(char *target, const char *source, size_t bytes) {
    for (size_t done = 0; done < bytes; done += 4096) {
        size_t part = bytes - done < 4096 ? bytes - done : 4096;
        if (memcmp(target + done, source + done, part)) memcpy(target + done, source + done, part);
    }
    return SUCCESS;
}

static int execute(Op *op) {
    switch (op->kind) {
        case COPY_TO_DEVICE:
            if (!holding(DEVICE_KIND, op->target, op->bytes)) return ILLEGAL_ADDRESS;
            if (!holding(HOST_KIND, op->source, op->bytes)) return INVALID_VALUE; /* pageable, or freed */
            return copy(op->target, op->source, op->bytes);
        case COPY_TO_HOST:
            if (!holding(DEVICE_KIND, op->source, op->bytes)) return ILLEGAL_ADDRESS;
            if (!holding(HOST_KIND, op->target, op->bytes)) return INVALID_VALUE;
            return copy(op->target, op->source, op->bytes);
        case COPY_ON_DEVICE:
            if (!holding(DEVICE_KIND, op->source, op->bytes) || !holding(DEVICE_KIND, op->target, op->bytes))
                return ILLEGAL_ADDRESS;
            return copy(op->target, op->source, op->bytes);
        case SET:
            if (!holding(DEVICE_KIND, op->target, op->bytes)) return ILLEGAL_ADDRESS;
            memset(op->target, op->value, op->bytes);
            return SUCCESS;
        case LAUNCH: {
            int result = launchCallback ? launchCallback(op->launch) : SUCCESS;
            for (uint32_t i = 0; i < op->launch->count; i++) free(op->launch->parameters[i]);
            free(op->launch);
            return result;
        }
        case WAIT:
            return run(op->awaited, op->awaitedTicket);
        case APPEAR:
            op->allocation->live = 1;
            return SUCCESS;
        case VANISH:
            destroyAllocation(op->allocation);
            return SUCCESS;
        case CALL:
            return op->call(op->argument);
    }
    return INVALID_VALUE;
}

/* How long work would take if streams ran side by side: microseconds of a GPU that copies ten bytes in a nanosecond. */
static double cost(const Op *op) {
    return op->kind == LAUNCH || op->kind == CALL ? 10 : op->kind <= SET ? 1 + op->bytes / 1e4 : 0;
}

static double clockAfter(const Stream *stream, long ticket) { return ticket ? stream->after[ticket - 1] : 0; }

static int run(Stream *stream, long ticket) {
    while (!fault && stream->done < ticket) {
        Op *op = stream->first;
        stream->first = op->next;
        if (!op->next) stream->last = NULL;
        double costs = cost(op);
        Stream *awaited = op->kind == WAIT ? op->awaited : NULL;
        long awaitedTicket = op->awaitedTicket;
        int result = execute(op);
        free(op);
        if (awaited && clockAfter(awaited, awaitedTicket) > stream->clock)
            stream->clock = clockAfter(awaited, awaitedTicket);
        stream->clock += costs;
        if ((stream->done & (stream->done - 1)) == 0)
            stream->after = realloc(stream->after, 2 * (stream->done + 1) * sizeof *stream->after);
        stream->after[stream->done++] = stream->clock;
        if (result) fault = result;
    }
    return fault;
}

static int runAll(void) {
    for (Stream *s = streams; s; s = s->next) run(s, s->queued);
    return fault;
}

static int queue(Stream *stream, Op op) {
    Op *copyOfOp = malloc(sizeof op);
    *copyOfOp = op;
    copyOfOp->next = NULL;
    if (stream->last) stream->last->next = copyOfOp; else stream->first = copyOfOp;
    stream->last = copyOfOp;
    stream->queued++;
    return SUCCESS;
}

static void destroyEverything(void) {
    while (allocations) destroyAllocation(allocations);
    trim();
    while (streams) {
        Stream *next = streams->next;
        free(streams->after);
        free(streams);
        streams = next;
    }
    events = modules = 0;
}
