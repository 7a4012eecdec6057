package io.gpuquant.ptx;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;

/** Runs {@code kernels/quantize.ptx}, sound or broken, on a matrix of its own. */
final class QuantizeKernel {

    static final String PATH = "kernels/quantize.ptx";
    private static final int COLUMNS = 128;
    private static final int ROWS_PER_BLOCK = 4;
    private static final int THREADS = 128;

    private QuantizeKernel() {}

    /** Runs it and checks the result, with as many blocks more than fit the matrix. */
    static void run(MachineOptions options, String text, int blocksTooMany) {
        int rows = 3 * ROWS_PER_BLOCK;
        float[] matrix = matrix(rows);
        try (KernelRunner runner = new KernelRunner(options, PATH, text)) {
            Allocation input = runner.floats("matrix", matrix);
            Allocation words = runner.empty("words", (long) rows * COLUMNS);
            Allocation scales = runner.empty("scales", (long) rows * Float.BYTES);
            runner.launch(rows / ROWS_PER_BLOCK + blocksTooMany, THREADS, input, words, scales, rows);
            compare(matrix, rows, runner.readInts(words), runner.readFloats(scales));
        }
    }

    static float[] matrix(int rows) {
        Random random = new Random(5);
        float[] matrix = new float[rows * COLUMNS];
        for (int i = 0; i < matrix.length; i++) {
            matrix[i] = (float) random.nextGaussian();
        }
        return matrix;
    }

    private static void compare(float[] matrix, int rows, int[] words, float[] scales) {
        for (int row = 0; row < rows; row++) {
            float best = 0;
            for (int column = 0; column < COLUMNS; column++) {
                best = Math.max(best, Math.abs(matrix[row * COLUMNS + column]));
            }
            float scale = best / 127;
            assertThat(scales[row]).isEqualTo(scale);
            for (int column = 0; column < COLUMNS; column++) {
                int expected = (int) Math.rint(matrix[row * COLUMNS + column] * (1 / scale));
                int word = words[column / 4 * rows + row];
                assertThat((byte) (word >>> 8 * (column % 4))).isEqualTo((byte) expected);
            }
        }
    }
}
