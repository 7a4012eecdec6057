package io.gpuquant.device.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The fake NVIDIA driver of {@code src/test/c/fakecuda.c}, and what a test does with it: set what the driver says of
 * itself, make calls fail, see the calls, and execute kernels. Once loaded it stays this process's {@code libcuda.so.1}, so
 * it belongs into tests that are {@link InChildJvm}.
 *
 * <p>Device memory is memory of this process: a device address is an address that {@link MemorySegment#ofAddress} takes,
 * and {@link #deviceMemory()} lists what is allocated. Work of a stream is done only when someone waits for it, on the
 * thread that waits; launches are executed then, by {@link Kernels}.
 */
@SuppressWarnings("restricted")
public final class FakeCuda implements AutoCloseable {

    /**
     * A launch as the driver has it.
     *
     * @param moduleText the PTX that was loaded
     * @param entry the name of the kernel
     * @param grid blocks in x, y and z
     * @param block threads of a block in x, y and z
     * @param dynamicSharedBytes dynamic shared memory of a block
     * @param parameters the bytes of each parameter, copied at the launch; valid during the call only
     */
    public record Launch(
            String moduleText,
            String entry,
            List<Integer> grid,
            List<Integer> block,
            int dynamicSharedBytes,
            List<MemorySegment> parameters) {

        /** Parameter {@code index} as a 64-bit integer or address. */
        public long int64(int index) {
            return parameters.get(index).get(ValueLayout.JAVA_LONG_UNALIGNED, 0);
        }

        /** Parameter {@code index} as a 32-bit integer. */
        public int int32(int index) {
            return parameters.get(index).get(ValueLayout.JAVA_INT_UNALIGNED, 0);
        }

        /** Parameter {@code index} as a float. */
        public float float32(int index) {
            return parameters.get(index).get(ValueLayout.JAVA_FLOAT_UNALIGNED, 0);
        }
    }

    /** Executes launches. */
    public interface Kernels {

        /** Executes one; the result is the driver's, 0 for success or such as 700 for an illegal address. */
        int launch(Launch launch) throws Exception;
    }

    /** Says how many bytes the parameters of a kernel have. */
    public interface Signatures {

        /** The sizes in order, or null when the module has no such kernel. */
        int @Nullable [] sizes(String moduleText, String entry);
    }

    /** What exists in the driver. */
    public enum Kind {
        DEVICE_MEMORY(0),
        PINNED_MEMORY(1),
        STREAM(2),
        EVENT(3),
        MODULE(4),
        CONTEXT(5);

        private final int code;

        Kind(int code) {
            this.code = code;
        }
    }

    private static final int MAX_PARAMETERS = 64;
    private static final int ENTRY = 8;
    private static final int GRID = 16;
    private static final int BLOCK = 28;
    private static final int SHARED = 40;
    private static final int COUNT = 44;
    private static final int SIZES = 48;
    private static final int PARAMETERS = SIZES + 4 * MAX_PARAMETERS;
    private static final int LAUNCH_BYTES = PARAMETERS + 8 * MAX_PARAMETERS;

    private static @Nullable FakeCuda loaded;
    private static List<String> loadedOptions = List.of();

    private final Path library;
    private final MethodHandle set;
    private final MethodHandle fail;
    private final MethodHandle jitLog;
    private final MethodHandle calls;
    private final MethodHandle live;
    private final MethodHandle memory;
    private final MethodHandle reset;
    private final MethodHandle onLaunch;
    private final MemorySegment launchStub;
    private Kernels kernels = launch -> 0;
    private Signatures signatures = FakeCuda::declaredSizes;
    private @Nullable Throwable failureOfKernels;

    private FakeCuda(Path library) throws ReflectiveOperationException {
        this.library = library;
        System.load(library.toString());
        SymbolLookup lookup = SymbolLookup.libraryLookup(library, Arena.global());
        ValueLayout text = ValueLayout.ADDRESS;
        set = function(lookup, "fake_set", FunctionDescriptor.ofVoid(text, ValueLayout.JAVA_LONG));
        fail = function(
                lookup, "fake_fail", FunctionDescriptor.ofVoid(text, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
        jitLog = function(lookup, "fake_jit_log", FunctionDescriptor.ofVoid(text));
        calls = function(lookup, "fake_calls", FunctionDescriptor.of(text));
        live = function(lookup, "fake_live", FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
        memory = function(lookup, "fake_memory", FunctionDescriptor.of(text, ValueLayout.JAVA_LONG, text));
        reset = function(lookup, "fake_reset", FunctionDescriptor.ofVoid());
        onLaunch = function(lookup, "fake_on_launch", FunctionDescriptor.ofVoid(text));
        MethodHandles.Lookup methods = MethodHandles.lookup();
        launchStub = Linker.nativeLinker()
                .upcallStub(
                        methods.bind(this, "launched", MethodType.methodType(int.class, MemorySegment.class)),
                        FunctionDescriptor.of(ValueLayout.JAVA_INT, pointerTo(LAUNCH_BYTES)),
                        Arena.global());
        MemorySegment signatureStub = Linker.nativeLinker()
                .upcallStub(
                        methods.bind(
                                this,
                                "signature",
                                MethodType.methodType(
                                        int.class, MemorySegment.class, MemorySegment.class, MemorySegment.class)),
                        FunctionDescriptor.of(
                                ValueLayout.JAVA_INT,
                                pointerTo(Long.MAX_VALUE),
                                pointerTo(Long.MAX_VALUE),
                                pointerTo(4L * MAX_PARAMETERS)),
                        Arena.global());
        call(function(lookup, "fake_on_signature", FunctionDescriptor.ofVoid(text)), signatureStub);
    }

    /** Makes the fake this process's driver, in its first state: one GPU, sm_80, 1 TiB, CUDA 12.4. */
    public static FakeCuda install() {
        return install(new String[0]);
    }

    /** The same with a driver so old that it lacks memory pools. */
    public static FakeCuda installWithoutPools() {
        return install("-DLACKING_POOLS");
    }

    private static FakeCuda install(String... options) {
        try {
            if (loaded == null) {
                loaded = new FakeCuda(NativeLibraries.compile("fakecuda.c", DriverLibrary.NAME, options));
                loadedOptions = List.of(options);
            }
        } catch (ReflectiveOperationException e) {
            throw new LinkageError("the fake driver cannot call back", e);
        }
        if (!loadedOptions.equals(List.of(options))) {
            throw new AssertionError("this process has the other fake driver");
        }
        loaded.reset();
        return loaded;
    }

    /** Returns to the first state, in which nothing exists. */
    public void reset() {
        call(reset);
        call(onLaunch, launchStub);
        kernels = launch -> 0;
        signatures = FakeCuda::declaredSizes;
        failureOfKernels = null;
    }

    /** The library's file, for other fakes to be linked with. */
    public Path library() {
        return library;
    }

    /**
     * Changes what the driver says: {@code devices}, {@code turings} (how many of them, the first, are of compute
     * capability 7.5), {@code major} and {@code minor} of the others, {@code version}, {@code memory} and how much of it is
     * {@code heldByOthers}, {@code pools}, {@code sharedPerBlock}, {@code staticShared}.
     */
    public FakeCuda set(String setting, long value) {
        try (Arena arena = Arena.ofConfined()) {
            call(set, arena.allocateFrom(setting), value);
        }
        return this;
    }

    /** Makes the next call of a function fail with this result. */
    public FakeCuda fail(String function, int result) {
        return failAfter(0, function, result);
    }

    /** Makes a call of a function fail with this result, after {@code calls} that do not. */
    public FakeCuda failAfter(int calls, String function, int result) {
        try (Arena arena = Arena.ofConfined()) {
            call(fail, arena.allocateFrom(function), result, calls);
        }
        return this;
    }

    /** What the assembler will say of the modules it is given. */
    public FakeCuda jitLog(String log) {
        try (Arena arena = Arena.ofConfined()) {
            call(jitLog, arena.allocateFrom(log));
        }
        return this;
    }

    /** Who executes kernels from now on; at first they do nothing. */
    public FakeCuda kernels(Kernels newKernels) {
        kernels = newKernels;
        return this;
    }

    /** Who reads kernels' signatures from now on; at first it is a reader that knows scalar parameters. */
    public FakeCuda signatures(Signatures newSignatures) {
        signatures = newSignatures;
        return this;
    }

    /** The calls so far: the function, and for some of them a number such as the bytes. */
    public List<String> calls() {
        MemorySegment text = (MemorySegment) call(calls);
        return text.reinterpret(Long.MAX_VALUE).getString(0).lines().toList();
    }

    /** The calls so far of this function. */
    public List<String> calls(String function) {
        return calls().stream()
                .filter(line -> line.split(" ")[0].equals(function))
                .toList();
    }

    /** How many of a kind there are. */
    public long live(Kind kind) {
        return (long) call(live, kind.code);
    }

    /** The device memory that is allocated, and whose allocation's turn has come. */
    public List<MemorySegment> deviceMemory() {
        List<MemorySegment> found = new ArrayList<>();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(ValueLayout.JAVA_LONG);
            for (long index = 0; ; index++) {
                MemorySegment address = (MemorySegment) call(memory, index, bytes);
                if (address.equals(MemorySegment.NULL)) {
                    return found;
                }
                found.add(address.reinterpret(bytes.get(ValueLayout.JAVA_LONG, 0)));
            }
        }
    }

    /** Fails if the test left anything in the driver, or if {@link Kernels} threw something. */
    @Override
    public void close() {
        if (failureOfKernels != null) {
            throw new AssertionError("a kernel failed", failureOfKernels);
        }
        for (Kind kind : Kind.values()) {
            if (live(kind) != 0) {
                throw new AssertionError(live(kind) + " of " + kind + " are left");
            }
        }
    }

    /** Called by the driver. */
    @SuppressWarnings("UnusedMethod")
    private int signature(MemorySegment text, MemorySegment entry, MemorySegment target) {
        int[] sizes = signatures.sizes(text.getString(0), entry.getString(0));
        if (sizes == null) {
            return -1;
        }
        MemorySegment.copy(MemorySegment.ofArray(sizes), 0, target, 0, 4L * sizes.length);
        return sizes.length;
    }

    /** Called by the driver; what it throws would end the process. */
    @SuppressWarnings("UnusedMethod")
    private int launched(MemorySegment launch) {
        try {
            return kernels.launch(new Launch(
                    string(launch, 0),
                    string(launch, ENTRY),
                    triple(launch, GRID),
                    triple(launch, BLOCK),
                    launch.get(ValueLayout.JAVA_INT, SHARED),
                    IntStream.range(0, launch.get(ValueLayout.JAVA_INT, COUNT))
                            .mapToObj(index -> parameter(launch, index))
                            .toList()));
        } catch (Throwable e) {
            failureOfKernels = e;
            return 719;
        }
    }

    private static MemorySegment parameter(MemorySegment launch, int index) {
        return launch.get(ValueLayout.ADDRESS, PARAMETERS + 8L * index)
                .reinterpret(launch.get(ValueLayout.JAVA_INT, SIZES + 4L * index));
    }

    private static List<Integer> triple(MemorySegment launch, long offset) {
        return IntStream.range(0, 3)
                .mapToObj(index -> launch.get(ValueLayout.JAVA_INT, offset + 4L * index))
                .toList();
    }

    private static String string(MemorySegment launch, long offset) {
        return launch.get(ValueLayout.ADDRESS, offset)
                .reinterpret(Long.MAX_VALUE)
                .getString(0);
    }

    private static int @Nullable [] declaredSizes(String moduleText, String entry) {
        int start = moduleText.indexOf(".entry " + entry + "(");
        if (start < 0) {
            return null;
        }
        String list = moduleText.substring(moduleText.indexOf('(', start) + 1, moduleText.indexOf(')', start));
        return list.isBlank()
                ? new int[0]
                : IntStream.range(0, list.split(",").length)
                        .map(index -> list.split(",")[index].contains("64 ") ? 8 : 4)
                        .toArray();
    }

    private static MemoryLayout pointerTo(long bytes) {
        return ValueLayout.ADDRESS.withTargetLayout(MemoryLayout.sequenceLayout(bytes, ValueLayout.JAVA_BYTE));
    }

    private static MethodHandle function(SymbolLookup lookup, String name, FunctionDescriptor descriptor) {
        return Linker.nativeLinker().downcallHandle(lookup.findOrThrow(name), descriptor);
    }

    private static Object call(MethodHandle function, Object... arguments) {
        try {
            return function.invokeWithArguments(arguments);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
