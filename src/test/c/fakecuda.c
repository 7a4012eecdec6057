/*
 * A stand-in for the NVIDIA driver, for tests on machines without a GPU: libcuda.so.1 with the functions that gpuquant
 * calls. Device memory is memory of this process; kernels are calls of a function that the test sets.
 *
 * Work is done as late as the driver may do it: nothing that is queued on a stream happens before someone waits for it.
 * Everything that works only because a GPU is quick therefore fails here, and so does whatever touches memory before the
 * allocation's turn has come in its stream, or after the release's has. Its pool never joins what was released in pieces, and
 * what belongs to one GPU's context is of no use while another's is current.
 */
#include "fakecuda.h"

/* ---- for tests -------------------------------------------------------------------------------------------------- */

void fake_set(const char *name, long value) {
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (!strcmp(settings[i].name, name)) { settings[i].value = value; return; }
    abort();
}

/* Makes a call of `function` fail with `result`, after `skip` calls that do not. */
void fake_fail(const char *function, int result, int skip) {
    snprintf(failures[failureCount].function, sizeof failures->function, "%s", function);
    failures[failureCount].result = result;
    failures[failureCount++].skip = skip;
}

void fake_jit_log(const char *text) { snprintf(jitLog, sizeof jitLog, "%s", text); }
void fake_on_launch(int (*callback)(const Launch *)) { launchCallback = callback; }
void fake_on_signature(int (*callback)(const char *, const char *, int32_t *)) { signatureCallback = callback; }
const char *fake_calls(void) { return callLog; }

/* What exists: 0 device memory, 1 pinned memory, 2 streams, 3 events, 4 modules, 5 contexts. */
long fake_live(int what) {
    long count = 0;
    switch (what) {
        case 0: case 1:
            for (Allocation *a = allocations; a; a = a->next) count += a->kind == what;
            return count;
        case 2:
            for (Stream *s = streams; s; s = s->next) count++;
            return count;
        case 3: return events;
        case 4: return modules;
        default:
            for (int device = 0; device < MAX_DEVICES; device++) count += retained[device];
            return count;
    }
}

/* Live device memory number `index`: its address, and its size in *bytes; NULL when there are fewer. */
void *fake_memory(long index, int64_t *bytes) {
    LOCKED();
    for (Allocation *a = allocations; a; a = a->next)
        if (a->kind == DEVICE_KIND && a->live && index-- == 0) { *bytes = (int64_t) a->bytes; return a->memory; }
    return NULL;
}

/* Forgets settings, failures and faults, and what a test has left. */
void fake_reset(void) {
    destroyEverything();
    memset(retained, 0, sizeof retained);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) settings[i].value = settings[i].initial;
    failureCount = 0;
    callLogLength = 0;
    callLog[0] = jitLog[0] = 0;
    fault = initialized = 0;
    launchCallback = NULL;
}

/* For the fake cuBLAS: notes a call, queues one, says whose context is current, and checks memory when its turn has come. */
int fake_enter(const char *name, long value) { LOCKED(); return enter(name, value); }
int fake_queue_call(Stream *stream, int (*call)(void *), void *argument) {
    LOCKED();
    return queue(stream, (Op) {.kind = CALL, .call = call, .argument = argument});
}
int fake_current(void) { return current ? currentDevice() : -1; }
int fake_holds(const void *address, size_t bytes) { LOCKED(); return holding(DEVICE_KIND, address, bytes) != NULL; }

/* ---- the driver's functions ------------------------------------------------------------------------------------- */

int cuInit(unsigned flags) {
    note(__func__, -1);
    int result = injected(__func__);
    initialized = !result;
    return result ? result : setting("devices") == 0 && flags == 0 ? NO_DEVICE : SUCCESS;
}
int cuDriverGetVersion(int *version) { *version = (int) setting("version"); return injected(__func__); }
int cuDeviceGetCount(int *count) { ENTER_DRIVER(); *count = (int) setting("devices"); return SUCCESS; }
int cuDeviceGet(int *device, int ordinal) {
    ENTER_DRIVER();
    *device = ordinal;
    return ordinal < setting("devices") ? SUCCESS : INVALID_DEVICE;
}
int cuDeviceGetName(char *name, int length, int device) {
    ENTER_DRIVER();
    snprintf(name, length, "Fake GPU %d", device);
    return SUCCESS;
}
int cuDeviceTotalMem_v2(size_t *bytes, int device) { ENTER_DRIVER(); (void) device; *bytes = setting("memory"); return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    ENTER_DRIVER();
    switch (attribute) {
        case 16: *value = 108; return SUCCESS;
        case 75: *value = device < setting("turings") ? 7 : (int) setting("major"); return SUCCESS;
        case 76: *value = device < setting("turings") ? 5 : (int) setting("minor"); return SUCCESS;
        case 97: *value = (int) setting("sharedPerBlock"); return SUCCESS;
        case 115: *value = (int) setting("pools"); return SUCCESS;
        default: return INVALID_VALUE;
    }
}
int cuDevicePrimaryCtxRetain(void **context, int device) {
    ENTER_DRIVER();
    *context = &retained[device];
    retained[device]++;
    return SUCCESS;
}
int cuDevicePrimaryCtxRelease_v2(int device) {
    ENTER_DRIVER();
    retained[device]--;
    if (fake_live(5) == 0 && fault) destroyEverything(); /* nothing could be given back one by one */
    return SUCCESS;
}
int cuCtxSetCurrent(void *context) { ENTER_DRIVER(); current = context; return fault; }
int cuCtxSynchronize(void) { ENTER(-1); return runAll(); }

int cuCtxGetStreamPriorityRange(int *least, int *greatest) {
    ENTER(-1);
    *least = 0;
    *greatest = GREATEST_PRIORITY;
    return SUCCESS;
}
int cuStreamCreateWithPriority(Stream **stream, unsigned flags, int priority) {
    ENTER((long) -priority);
    if (flags != NON_BLOCKING || priority < GREATEST_PRIORITY || priority > 0) return INVALID_VALUE;
    *stream = calloc(1, sizeof **stream);
    (*stream)->device = currentDevice();
    (*stream)->next = streams;
    streams = *stream;
    return SUCCESS;
}
int cuStreamDestroy_v2(Stream *stream) {
    ENTER(-1); OF_CURRENT(stream);
    run(stream, stream->queued);
    Stream **link = &streams;
    while (*link != stream) link = &(*link)->next;
    *link = stream->next;
    free(stream->after);
    free(stream);
    return SUCCESS;
}
int cuStreamSynchronize(Stream *stream) { ENTER(-1); OF_CURRENT(stream); return run(stream, stream->queued); }
int cuStreamWaitEvent(Stream *stream, Event *event, unsigned flags) {
    ENTER((long) flags); OF_CURRENT(stream); OF_CURRENT(event);
    return event->stream
            ? queue(stream, (Op) {.kind = WAIT, .awaited = event->stream, .awaitedTicket = event->ticket})
            : SUCCESS;
}
int cuEventCreate(Event **event, unsigned flags) {
    ENTER((long) flags);
    *event = calloc(1, sizeof **event);
    (*event)->device = currentDevice();
    (*event)->timed = !(flags & DISABLE_TIMING);
    events++;
    return SUCCESS;
}
int cuEventDestroy_v2(Event *event) { ENTER(-1); OF_CURRENT(event); free(event); events--; return SUCCESS; }
int cuEventRecord(Event *event, Stream *stream) {
    ENTER(-1); OF_CURRENT(event); OF_CURRENT(stream);
    event->stream = stream;
    event->ticket = stream->queued;
    return SUCCESS;
}
int cuEventSynchronize(Event *event) { ENTER(-1); OF_CURRENT(event); return event->stream ? run(event->stream, event->ticket) : SUCCESS; }

int cuEventElapsedTime(float *milliseconds, Event *from, Event *to) {
    ENTER(-1);
    if (!from->timed || !to->timed || !from->stream || !to->stream) return INVALID_HANDLE;
    if (from->stream->done < from->ticket || to->stream->done < to->ticket)
        return NOT_READY;
    *milliseconds = (float) ((clockAfter(to->stream, to->ticket) - clockAfter(from->stream, from->ticket)) / 1000);
    return SUCCESS;
}

int cuMemAlloc_v2(char **address, size_t bytes) {
    ENTER((long) bytes);
    if (!bytes) return INVALID_VALUE;
    Allocation *a = newAllocation(DEVICE_KIND, bytes, 1);
    if (a) *address = a->memory;
    return a ? SUCCESS : OUT_OF_MEMORY;
}
int cuMemFree_v2(void *address) {
    ENTER(-1);
    Allocation *a = holding(DEVICE_KIND, address, 1);
    if (!a || a->memory != address) return INVALID_VALUE;
    destroyAllocation(a); /* does not wait for work, unlike most drivers: nobody promises that they do */
    trim();
    return SUCCESS;
}
int cuMemGetInfo_v2(size_t *available, size_t *total) {
    ENTER(-1);
    *total = setting("memory");
    *available = *total - usedBytes - setting("heldByOthers");
    return SUCCESS;
}
int cuMemHostAlloc(void **address, size_t bytes, unsigned flags) {
    ENTER((long) bytes);
    (void) flags;
    *address = newAllocation(HOST_KIND, bytes, 1)->memory;
    return SUCCESS;
}
int cuMemFreeHost(void *address) {
    ENTER(-1);
    Allocation *a = holding(HOST_KIND, address, 1);
    if (!a || a->memory != address) return INVALID_VALUE;
    destroyAllocation(a);
    return SUCCESS;
}
int cuMemcpyHtoDAsync_v2(char *target, const char *source, size_t bytes, Stream *stream) {
    ENTER((long) bytes); OF_CURRENT(stream);
    return queue(stream, (Op) {.kind = COPY_TO_DEVICE, .target = target, .source = source, .bytes = bytes});
}
int cuMemcpyDtoHAsync_v2(char *target, const char *source, size_t bytes, Stream *stream) {
    ENTER((long) bytes); OF_CURRENT(stream);
    return queue(stream, (Op) {.kind = COPY_TO_HOST, .target = target, .source = source, .bytes = bytes});
}
int cuMemcpyDtoDAsync_v2(char *target, const char *source, size_t bytes, Stream *stream) {
    ENTER((long) bytes); OF_CURRENT(stream);
    return queue(stream, (Op) {.kind = COPY_ON_DEVICE, .target = target, .source = source, .bytes = bytes});
}
int cuMemsetD8Async(char *target, unsigned char value, size_t bytes, Stream *stream) {
    ENTER((long) bytes); OF_CURRENT(stream);
    return queue(stream, (Op) {.kind = SET, .target = target, .value = value, .bytes = bytes});
}

#ifndef LACKING_POOLS /* a driver from before CUDA 11.2 */
int cuMemAllocAsync(char **address, size_t bytes, Stream *stream) {
    ENTER((long) bytes); OF_CURRENT(stream);
    if (!bytes) return INVALID_VALUE;
    Allocation *a = newAllocation(DEVICE_KIND, bytes, 0);
    if (!a) return OUT_OF_MEMORY;
    *address = a->memory;
    return queue(stream, (Op) {.kind = APPEAR, .allocation = a});
}
int cuMemFreeAsync(void *address, Stream *stream) {
    ENTER(-1); OF_CURRENT(stream);
    for (Allocation *a = allocations; a; a = a->next)
        if (a->memory == address) return queue(stream, (Op) {.kind = VANISH, .allocation = a});
    return INVALID_VALUE;
}
int cuDeviceGetDefaultMemPool(void **pool, int device) { ENTER((long) device); *pool = &usedBytes; return SUCCESS; }
int cuMemPoolSetAttribute(void *pool, int attribute, int64_t *value) {
    ENTER(*value < 0 ? attribute : *value);
    return pool == &usedBytes && attribute == 4 ? SUCCESS : INVALID_VALUE;
}
int cuMemPoolTrimTo(void *pool, size_t bytes) {
    ENTER((long) bytes);
    if (bytes == 0) trim();
    return pool == &usedBytes ? SUCCESS : INVALID_VALUE;
}
#endif

int cuModuleLoadDataEx(Module **module, const char *text, unsigned count, int *options, void **values) {
    LOCKED();
    note(__func__, -1);
    int result = injected(__func__);
    for (unsigned i = 0; i + 1 < count; i++)
        if (options[i] == 5 && options[i + 1] == 6) snprintf(values[i], (size_t) values[i + 1], "%s", jitLog);
    if (result) return result;
    if (!current) return INVALID_CONTEXT;
    for (const char *c = text; *c; c++)
        if (*c & 0x80) return INVALID_PTX; /* also in a comment */
    *module = calloc(1, sizeof **module);
    (*module)->device = currentDevice();
    (*module)->text = strdup(text);
    modules++;
    return SUCCESS;
}
int cuModuleUnload(Module *module) { ENTER(-1); OF_CURRENT(module); free(module->text); free(module); modules--; return SUCCESS; }
int cuModuleGetFunction(Function **function, Module *module, const char *name) {
    ENTER(-1); OF_CURRENT(module);
    Function *f = calloc(1, sizeof *f);
    int count = signatureCallback(module->text, name, f->sizes);
    if (count < 0) return NOT_FOUND;
    f->device = module->device;
    f->module = module;
    f->entry = strdup(name);
    f->count = (uint32_t) count;
    f->dynamicShared = SHARED_BY_RIGHT - (int) setting("staticShared");
    *function = f;
    return SUCCESS;
}
int cuFuncGetAttribute(int *value, int attribute, Function *function) {
    ENTER((long) attribute); OF_CURRENT(function);
    *value = (int) setting("staticShared");
    return attribute == 1 ? SUCCESS : INVALID_VALUE;
}
int cuFuncSetAttribute(Function *function, int attribute, int value) {
    ENTER((long) value); OF_CURRENT(function);
    if (attribute != 8 || value + setting("staticShared") > setting("sharedPerBlock")) return INVALID_VALUE;
    function->dynamicShared = value;
    return SUCCESS;
}
int cuLaunchKernel(Function *f, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
        unsigned blockZ, unsigned shared, Stream *stream, void **parameters, void **extra) {
    ENTER(-1); OF_CURRENT(f); OF_CURRENT(stream);
    if (!gridX || !gridY || !gridZ || gridX > MOST_BLOCKS_X || gridY > MOST_BLOCKS_YZ || gridZ > MOST_BLOCKS_YZ)
        return INVALID_VALUE;
    if (extra || blockX * blockY * blockZ > 1024 || (int) shared > f->dynamicShared) return INVALID_VALUE;
    Launch *launch = calloc(1, sizeof *launch);
    *launch = (Launch) {.text = f->module->text, .entry = f->entry, .grid = {gridX, gridY, gridZ},
            .block = {blockX, blockY, blockZ}, .sharedBytes = shared, .count = f->count};
    for (uint32_t i = 0; i < f->count; i++) {
        launch->sizes[i] = (uint32_t) f->sizes[i];
        launch->parameters[i] = malloc(f->sizes[i]);
        memcpy(launch->parameters[i], parameters[i], f->sizes[i]);
    }
    return queue(stream, (Op) {.kind = LAUNCH, .launch = launch});
}
