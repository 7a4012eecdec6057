package io.gpuquant.ptx;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;

/** Runs {@code kernels/gemm.ptx}, sound or broken, on small whole numbers, whose sums are exact in any order. */
final class GemmKernel {

    static final String PATH = "kernels/gemm.ptx";
    private static final int M = 64;
    private static final int N = 32;
    private static final int K = 96;

    private GemmKernel() {}

    static void run(MachineOptions options, String text) {
        Random random = new Random(6);
        short[] a = halves(random, M * K);
        short[] b = halves(random, N * K);
        try (KernelRunner runner = new KernelRunner(options, PATH, text)) {
            Allocation first = runner.shorts("a", a);
            Allocation second = runner.shorts("b", b);
            Allocation product = runner.empty("c", (long) M * N * Float.BYTES);
            runner.launch(new int[] {N / 16, M / 32, 1}, new int[] {64, 1, 1}, 0, first, second, product, N, K);
            compare(a, b, runner.readFloats(product));
        }
    }

    private static short[] halves(Random random, int count) {
        short[] halves = new short[count];
        for (int i = 0; i < count; i++) {
            halves[i] = Float.floatToFloat16(random.nextInt(-4, 5));
        }
        return halves;
    }

    private static void compare(short[] a, short[] b, float[] c) {
        for (int row = 0; row < M; row++) {
            for (int column = 0; column < N; column++) {
                float sum = 0;
                for (int i = 0; i < K; i++) {
                    sum += Float.float16ToFloat(a[row * K + i]) * Float.float16ToFloat(b[column * K + i]);
                }
                assertThat(c[row * N + column])
                        .as("row %d, column %d", row, column)
                        .isEqualTo(sum);
            }
        }
    }
}
