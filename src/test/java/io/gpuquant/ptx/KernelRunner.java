package io.gpuquant.ptx;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Objects;

/** A machine with one PTX module, and the arrays that tests give to its kernels. */
final class KernelRunner implements AutoCloseable {

    private final VirtualGpu gpu;
    private final PtxModule module;

    KernelRunner(MachineOptions options, String name, String text) {
        gpu = new VirtualGpu(options);
        module = gpu.compile(name, text);
    }

    /** A module from the test resources beside this class. */
    static KernelRunner ofResource(MachineOptions options, String path) {
        return new KernelRunner(options, path, text(path));
    }

    /** The text of a test resource beside this class. */
    static String text(String path) {
        try (InputStream stream = KernelRunner.class.getResourceAsStream(path)) {
            return new String(Objects.requireNonNull(stream, path).readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    VirtualGpu gpu() {
        return gpu;
    }

    /** Memory that nobody has written. */
    Allocation empty(String name, long bytes) {
        return gpu.memory().allocate(name, bytes);
    }

    Allocation zeros(String name, long bytes) {
        return filled(name, MemorySegment.ofArray(new byte[Math.toIntExact(bytes)]));
    }

    Allocation floats(String name, float... values) {
        return filled(name, MemorySegment.ofArray(values));
    }

    Allocation doubles(String name, double... values) {
        return filled(name, MemorySegment.ofArray(values));
    }

    Allocation ints(String name, int... values) {
        return filled(name, MemorySegment.ofArray(values));
    }

    Allocation longs(String name, long... values) {
        return filled(name, MemorySegment.ofArray(values));
    }

    Allocation shorts(String name, short... values) {
        return filled(name, MemorySegment.ofArray(values));
    }

    Allocation bytes(String name, byte... values) {
        return filled(name, MemorySegment.ofArray(values));
    }

    private Allocation filled(String name, MemorySegment values) {
        Allocation allocation = gpu.memory().allocate(name, values.byteSize());
        gpu.memory().writable(allocation.base(), values.byteSize()).copyFrom(values);
        return allocation;
    }

    float[] readFloats(Allocation allocation) {
        return readable(allocation).toArray(ValueLayout.JAVA_FLOAT);
    }

    double[] readDoubles(Allocation allocation) {
        return readable(allocation).toArray(ValueLayout.JAVA_DOUBLE);
    }

    int[] readInts(Allocation allocation) {
        return readable(allocation).toArray(ValueLayout.JAVA_INT);
    }

    long[] readLongs(Allocation allocation) {
        return readable(allocation).toArray(ValueLayout.JAVA_LONG);
    }

    short[] readShorts(Allocation allocation) {
        return readable(allocation).toArray(ValueLayout.JAVA_SHORT);
    }

    byte[] readBytes(Allocation allocation) {
        return readable(allocation).toArray(ValueLayout.JAVA_BYTE);
    }

    private MemorySegment readable(Allocation allocation) {
        return gpu.memory().readable(allocation.base(), allocation.byteSize());
    }

    /** Launches the only kernel. */
    LaunchResult launch(int blocks, int threads, Object... arguments) {
        return launch(new int[] {blocks, 1, 1}, new int[] {threads, 1, 1}, 0, arguments);
    }

    LaunchResult launch(int[] grid, int[] block, int dynamicSharedBytes, Object... arguments) {
        String entry = module.kernelNames().iterator().next();
        return launch(entry, grid, block, dynamicSharedBytes, arguments);
    }

    /** Launches a kernel with arguments that are allocations, integers, longs, floats or doubles. */
    LaunchResult launch(String entry, int[] grid, int[] block, int dynamicSharedBytes, Object... arguments) {
        return gpu.launch(module.kernel(entry), grid, block, dynamicSharedBytes, parameters(arguments));
    }

    private static byte[] parameters(Object... arguments) {
        ByteBuffer block = ByteBuffer.allocate(8 * arguments.length).order(ByteOrder.LITTLE_ENDIAN);
        for (Object argument : arguments) {
            switch (argument) {
                case Allocation allocation -> align(block, Long.BYTES).putLong(allocation.base());
                case Long value -> align(block, Long.BYTES).putLong(value);
                case Double value -> align(block, Double.BYTES).putDouble(value);
                case Integer value -> align(block, Integer.BYTES).putInt(value);
                case Float value -> align(block, Float.BYTES).putFloat(value);
                default -> throw new IllegalArgumentException("an argument of " + argument.getClass());
            }
        }
        return Arrays.copyOf(block.array(), block.position());
    }

    private static ByteBuffer align(ByteBuffer block, int bytes) {
        return block.position((block.position() + bytes - 1) / bytes * bytes);
    }

    @Override
    public void close() {
        gpu.close();
    }
}
