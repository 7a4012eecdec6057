package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** The kernels that ship, or their CUDA twins, on one virtual GPU; with matrices made from arrays and read into them. */
final class KernelRig implements AutoCloseable {

    private static final byte UNTOUCHED = 0x5a;

    /** Every way to run that must not change a bit of a result without approximate operations. */
    private static final Map<String, MachineOptions> MACHINES = machines();

    /** The machine on which all grids are one block high, so that kernels stride over the rest. */
    private static final String NARROW = "fast with narrow grids";

    private final Device device;
    private final Stream stream;
    private final boolean twins;
    private final List<DeviceBuffer> buffers = new ArrayList<>();

    private KernelRig(MachineOptions options, boolean narrow, boolean twins) {
        this.device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1), options);
        this.stream = narrow ? narrow(device.stream()) : device.stream();
        this.twins = twins;
    }

    private static Stream narrow(Stream stream) {
        return (Stream) Proxy.newProxyInstance(
                KernelRig.class.getClassLoader(), new Class<?>[] {Stream.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("launch")) {
                        LaunchShape shape = (LaunchShape) arguments[1];
                        arguments[1] = new LaunchShape(
                                shape.gridX(), 1, shape.gridZ(), shape.blockX(), shape.dynamicSharedBytes());
                    }
                    return method.invoke(stream, arguments);
                });
    }

    private static Map<String, MachineOptions> machines() {
        Map<String, MachineOptions> machines = new LinkedHashMap<>();
        machines.put("checked", MachineOptions.checked());
        machines.put("shuffled", MachineOptions.checked().withSeed(11));
        machines.put("split", MachineOptions.checked().withSplitWarps());
        machines.put("fast", MachineOptions.fast(2));
        machines.put(NARROW, MachineOptions.fast(1));
        return machines;
    }

    /** The kernels on the machine of the product. */
    static KernelRig fast() {
        return new KernelRig(MachineOptions.fast(1), false, false);
    }

    /** The kernels on the machine that checks every access. */
    static KernelRig checked() {
        return new KernelRig(MachineOptions.checked(), false, false);
    }

    /** What kernels and twins compute on the machine of the product, which must be the same: for inputs too many for all. */
    static <T> T fastKernelsAndTwins(Function<KernelRig, T> body) {
        try (KernelRig kernels = fast();
                KernelRig twins = new KernelRig(MachineOptions.fast(1), false, true)) {
            T expected = body.apply(kernels);
            assertSame("twins", body.apply(twins), expected);
            return expected;
        }
    }

    /** What the kernels compute, which must be the same on every machine, and the same as what the twins compute. */
    static <T> T kernelsAndTwins(Function<KernelRig, T> body) {
        T kernels = everywhere(body);
        assertSame("twins", twins(body), kernels);
        return kernels;
    }

    /** What the twins compute, which never ship: on the machine that checks every access. */
    static <T> T twins(Function<KernelRig, T> body) {
        try (KernelRig rig = new KernelRig(MachineOptions.checked(), false, true)) {
            return body.apply(rig);
        }
    }

    /** What the kernels compute, which must be the same on every machine. */
    static <T> T everywhere(Function<KernelRig, T> body) {
        List<T> all = new ArrayList<>();
        MACHINES.forEach((name, options) -> {
            try (KernelRig rig = new KernelRig(options, name.equals(NARROW), false)) {
                all.add(body.apply(rig));
            }
        });
        List<String> names = List.copyOf(MACHINES.keySet());
        for (int i = 1; i < all.size(); i++) {
            assertSame(names.get(i), all.get(i), all.getFirst());
        }
        return all.getFirst();
    }

    /** Asserts that arrays in two records are the same to the last bit, but for the payload of a NaN. */
    static <T> void assertSame(String what, T actual, T expected) {
        assertThat(actual)
                .as(what)
                .usingRecursiveComparison()
                .withComparatorForType(Float::compare, Float.class)
                .isEqualTo(expected);
    }

    Stream stream() {
        return stream;
    }

    Device device() {
        return device;
    }

    HessianKernels hessian() {
        return new HessianKernels(stream(), module("hessian"));
    }

    QuantizeKernels quantize() {
        return new QuantizeKernels(stream(), module("quantize"), module("gptq"));
    }

    PackKernels pack() {
        return new PackKernels(stream(), module("pack"));
    }

    AwqKernels awq() {
        return new AwqKernels(stream(), module("awq"), module("awq_grid"));
    }

    NibbleKernels nibbles() {
        return new NibbleKernels(stream(), module("nibbles"));
    }

    RangeKernels ranges() {
        return new RangeKernels(stream(), module("ranges"));
    }

    CodecKernels codec() {
        return new CodecKernels(stream(), module("codec"));
    }

    BitStreamKernels bitStreams() {
        return new BitStreamKernels(stream(), module("bitstream"));
    }

    ScaleKernels scale() {
        return new ScaleKernels(stream(), module("scale"));
    }

    ReductionKernels reductions() {
        return new ReductionKernels(device, module("reduce"));
    }

    GgmlFitKernels ggmlFit() {
        return new GgmlFitKernels(stream(), module("ggml_fit"), module("ggml_codebook"));
    }

    GgmlBlockKernels ggmlBlock() {
        return new GgmlBlockKernels(stream(), module("ggml_units"), module("ggml_round"), module("ggml_codebook"));
    }

    GgmlQuantizer ggml(GgmlType type, int capacity) {
        return new GgmlQuantizer(device, type, capacity, ggmlFit(), ggmlBlock());
    }

    private KernelModule module(String family) {
        if (!twins) {
            return KernelFiles.module(family + ".ptx");
        }
        try (InputStream text = KernelRig.class.getResourceAsStream("twins/" + family + ".ptx")) {
            return new KernelModule(family + " twin", new String(text.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    /** A dense matrix of float32. */
    DeviceMatrix floats(int rows, int columns, float... values) {
        return matrix(DType.F32, rows, columns, 0, columns, MemorySegment.ofArray(values));
    }

    /** A dense matrix of float32, from a float64 oracle's. */
    DeviceMatrix floats(int rows, int columns, double... values) {
        return floats(rows, columns, Matrices.toFloats(values));
    }

    /** A dense matrix of 32-bit integers. */
    DeviceMatrix integers(int rows, int columns, int... values) {
        return matrix(DType.I32, rows, columns, 0, columns, MemorySegment.ofArray(values));
    }

    /** A dense matrix of float16. */
    DeviceMatrix halves(int rows, int columns, short... values) {
        return matrix(DType.F16, rows, columns, 0, columns, MemorySegment.ofArray(values));
    }

    /** A dense matrix of bytes. */
    DeviceMatrix bytes(int rows, int columns, byte... values) {
        return matrix(DType.U8, rows, columns, 0, columns, MemorySegment.ofArray(values));
    }

    /** A dense matrix of which nothing may be read before it is written. */
    DeviceMatrix empty(DType dtype, int rows, int columns) {
        return DeviceMatrix.of(allocate(dtype.bytes((long) rows * columns)), dtype, rows, columns);
    }

    /** A window that is to be written, in a buffer of marks. */
    DeviceMatrix emptyWindow(DType dtype, int rows, int columns, int offset, int stride) {
        DeviceBuffer buffer = allocate(dtype.bytes((long) offset + (long) rows * stride + 3));
        byte[] marks = new byte[(int) buffer.byteSize()];
        Arrays.fill(marks, UNTOUCHED);
        stream().copyToDevice(MemorySegment.ofArray(marks), buffer, 0);
        return new DeviceMatrix(buffer, dtype.bytes(offset), dtype, rows, columns, stride);
    }

    /** A window with values, in a buffer of marks. */
    DeviceMatrix window(int rows, int columns, int offset, int stride, float... values) {
        DeviceMatrix window = emptyWindow(DType.F32, rows, columns, offset, stride);
        fill(window, MemorySegment.ofArray(values));
        return window;
    }

    private DeviceMatrix matrix(DType dtype, int rows, int columns, int offset, int stride, MemorySegment values) {
        DeviceBuffer buffer = allocate(dtype.bytes((long) offset + (long) rows * stride));
        DeviceMatrix matrix = new DeviceMatrix(buffer, dtype.bytes(offset), dtype, rows, columns, stride);
        fill(matrix, values);
        return matrix;
    }

    /** Fills a matrix of bytes. */
    void fill(DeviceMatrix matrix, byte[] values) {
        fill(matrix, MemorySegment.ofArray(values));
    }

    /** Fills a matrix of 32-bit integers. */
    void fill(DeviceMatrix matrix, int[] values) {
        fill(matrix, MemorySegment.ofArray(values));
    }

    /** Fills a matrix of float32. */
    void fill(DeviceMatrix matrix, float[] values) {
        fill(matrix, MemorySegment.ofArray(values));
    }

    private void fill(DeviceMatrix matrix, MemorySegment values) {
        long rowBytes = matrix.dtype().bytes(matrix.columns());
        for (int row = 0; row < matrix.rows(); row++) {
            long target = matrix.byteOffset() + matrix.dtype().bytes((long) row * matrix.stride());
            stream().copyToDevice(values.asSlice(row * rowBytes, rowBytes), matrix.buffer(), target);
        }
    }

    private DeviceBuffer allocate(long bytes) {
        DeviceBuffer buffer = device.allocate("test", Math.max(1, bytes));
        buffers.add(buffer);
        return buffer;
    }

    /** The values of a matrix of F32, F16 or BF16. */
    float[] valuesOf(DeviceMatrix matrix) {
        byte[] bytes = new byte[Math.toIntExact(matrix.byteSize())];
        read(matrix, MemorySegment.ofArray(bytes));
        float[] values = new float[(int) matrix.elementCount()];
        for (int i = 0; i < values.length; i++) {
            values[i] = Elements.floatAt(MemorySegment.ofArray(bytes), matrix.dtype(), i);
        }
        return values;
    }

    float[] floatsOf(DeviceMatrix matrix) {
        float[] values = new float[(int) matrix.elementCount()];
        read(matrix, MemorySegment.ofArray(values));
        return values;
    }

    int[] integersOf(DeviceMatrix matrix) {
        int[] values = new int[(int) matrix.elementCount()];
        read(matrix, MemorySegment.ofArray(values));
        return values;
    }

    short[] halvesOf(DeviceMatrix matrix) {
        short[] values = new short[(int) matrix.elementCount()];
        read(matrix, MemorySegment.ofArray(values));
        return values;
    }

    byte[] bytesOf(DeviceMatrix matrix) {
        byte[] values = new byte[(int) matrix.elementCount()];
        read(matrix, MemorySegment.ofArray(values));
        return values;
    }

    private void read(DeviceMatrix matrix, MemorySegment target) {
        stream().synchronize();
        long rowBytes = matrix.dtype().bytes(matrix.columns());
        for (int row = 0; row < matrix.rows(); row++) {
            long source = matrix.byteOffset() + matrix.dtype().bytes((long) row * matrix.stride());
            stream().copyToHost(matrix.buffer(), source, target.asSlice(row * rowBytes, rowBytes));
        }
    }

    /** Fails where a kernel wrote beside a window. */
    void requireUntouchedAround(DeviceMatrix window) {
        byte[] all = new byte[(int) window.buffer().byteSize()];
        stream().copyToHost(window.buffer(), 0, MemorySegment.ofArray(all));
        int rowBytes = (int) window.dtype().bytes(window.columns());
        for (int row = 0; row < window.rows(); row++) {
            int first = (int) (window.byteOffset() + window.dtype().bytes((long) row * window.stride()));
            Arrays.fill(all, first, first + rowBytes, UNTOUCHED);
        }
        assertThat(all).containsOnly(UNTOUCHED);
    }

    @Override
    public void close() {
        buffers.forEach(DeviceBuffer::close);
        device.close();
    }
}
