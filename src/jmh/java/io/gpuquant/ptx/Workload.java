package io.gpuquant.ptx;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.Random;

/** What the machine is measured on. */
public enum Workload {
    /** Integer and float arithmetic in registers. */
    ARITHMETIC("arithmetic loop", "/io/gpuquant/ptx/arithmetic.ptx", "arithmetic") {
        private static final int BLOCKS = 8;
        private static final int TURNS = 200;

        @Override
        Run prepare(VirtualGpu gpu, PtxKernel kernel) {
            Allocation out = gpu.memory().allocate("out", 8L * 256 * BLOCKS);
            byte[] arguments = arguments(12).putLong(out.base()).putInt(TURNS).array();
            return () -> gpu.launch(kernel, grid(BLOCKS), grid(256), 0, arguments);
        }
    },

    /** Rows of 128 float32 to bytes with a scale each, transposed through shared memory: loads, shuffles, conversions. */
    QUANTIZE("quantize and pack", "/io/gpuquant/ptx/kernels/quantize.ptx", "quantize") {
        private static final int ROWS = 2048;
        private static final int COLUMNS = 128;

        @Override
        Run prepare(VirtualGpu gpu, PtxKernel kernel) {
            Allocation matrix = floats(gpu, "matrix", ROWS * COLUMNS);
            Allocation words = gpu.memory().allocate("words", (long) ROWS * COLUMNS);
            Allocation scales = gpu.memory().allocate("scales", (long) ROWS * Float.BYTES);
            byte[] arguments = arguments(28)
                    .putLong(matrix.base())
                    .putLong(words.base())
                    .putLong(scales.base())
                    .putInt(ROWS)
                    .array();
            return () -> gpu.launch(kernel, grid(ROWS / 4), grid(128), 0, arguments);
        }
    },

    /** The product of float32 matrices that ships, by tiles in shared memory. */
    GEMM_F32("gemm 256^3, float32", "/io/gpuquant/kernels/gemm.ptx", "gemm_f32") {
        @Override
        Run prepare(VirtualGpu gpu, PtxKernel kernel) {
            return product(gpu, kernel, floats(gpu, "a", SIZE * SIZE), floats(gpu, "b", SIZE * SIZE));
        }
    },

    /** The product of float16 matrices that ships, by tensor cores. */
    GEMM_F16("gemm 256^3, tensor cores", "/io/gpuquant/kernels/gemm_half.ptx", "gemm_f16") {
        @Override
        Run prepare(VirtualGpu gpu, PtxKernel kernel) {
            return product(gpu, kernel, halves(gpu, "a", SIZE * SIZE), halves(gpu, "b", SIZE * SIZE));
        }
    };

    private static final int SIZE = 256;
    private static final int TILE = 128;

    /** One launch. */
    interface Run {
        LaunchResult launch();
    }

    private final String title;
    private final String path;
    private final String entry;

    Workload(String title, String path, String entry) {
        this.title = title;
        this.path = path;
        this.entry = entry;
    }

    /** What to call it in a table. */
    String title() {
        return title;
    }

    /** Compiles its kernel and fills its memory. */
    Run prepare(VirtualGpu gpu) {
        return prepare(gpu, gpu.compile(path, text()).kernel(entry));
    }

    abstract Run prepare(VirtualGpu gpu, PtxKernel kernel);

    private String text() {
        try (InputStream stream = Workload.class.getResourceAsStream(path)) {
            return new String(Objects.requireNonNull(stream, path).readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    /** C = A B, row-major, of {@link #SIZE} rows and columns. */
    private static Run product(VirtualGpu gpu, PtxKernel kernel, Allocation a, Allocation b) {
        Allocation c = gpu.memory().allocate("c", (long) SIZE * SIZE * Float.BYTES);
        byte[] arguments = arguments(96)
                .putLong(c.base())
                .putLong(SIZE)
                .putLong(a.base())
                .putInt(SIZE)
                .putInt(1)
                .putLong(b.base())
                .putInt(SIZE)
                .putInt(1)
                .putInt(SIZE)
                .putInt(SIZE)
                .putInt(SIZE)
                .putFloat(1)
                .putFloat(0)
                .array();
        int tiles = SIZE / TILE * (SIZE / TILE);
        return () -> gpu.launch(kernel, grid(tiles), grid(256), 0, arguments);
    }

    private static ByteBuffer arguments(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static int[] grid(int x) {
        return new int[] {x, 1, 1};
    }

    private static Allocation floats(VirtualGpu gpu, String name, int count) {
        Allocation allocation = gpu.memory().allocate(name, (long) count * Float.BYTES);
        MemorySegment memory = gpu.memory().writable(allocation.base(), allocation.byteSize());
        Random random = new Random(1);
        for (int i = 0; i < count; i++) {
            memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
        }
        return allocation;
    }

    private static Allocation halves(VirtualGpu gpu, String name, int count) {
        Allocation allocation = gpu.memory().allocate(name, (long) count * Short.BYTES);
        MemorySegment memory = gpu.memory().writable(allocation.base(), allocation.byteSize());
        Random random = new Random(1);
        for (int i = 0; i < count; i++) {
            memory.setAtIndex(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16((float) random.nextGaussian()));
        }
        return allocation;
    }
}
