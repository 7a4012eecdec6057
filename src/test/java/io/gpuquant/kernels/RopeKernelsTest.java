package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.KernelLab.Outcome;
import io.gpuquant.kernels.KernelRun.Place;
import io.gpuquant.tensor.DType;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Of class A: the kernel's own order of products and fused additions, bit for bit. */
final class RopeKernelsTest {

    private static final KernelLab LAB = new KernelLab("rope");

    @AfterAll
    static void close() {
        LAB.close();
    }

    /** Tokens, heads, head dimension, rotated pairs, positions, offset and stride of the input. */
    @ParameterizedTest
    @CsvSource({
        "1, 1, 2, 1, 1, 0, 2",
        "31, 3, 6, 3, 31, 0, 18",
        "33, 1, 8, 4, 11, 0, 8",
        "33, 5, 8, 4, 40, 4, 64",
        "9, 9, 64, 32, 3, 0, 576",
        "3, 2, 128, 64, 2, 1, 256",
        "5, 2, 80, 40, 5, 8, 163",
        "2, 1, 2072, 1036, 2, 0, 2072",
        "2, 1, 518, 259, 1, 0, 518",
        "5, 3, 32, 12, 5, 0, 96",
        "5, 3, 10, 3, 4, 0, 30",
        "9, 2, 30, 8, 9, 4, 64"
    })
    void rotatesHeadsOfAllShapesAndTypes(
            int tokens, int heads, int headDim, int half, int positions, int offset, int stride) {
        int columns = heads * headDim;
        float[] in = gaussian(tokens * columns, 1);
        float[] cos = gaussian(positions * half, 2);
        float[] sin = gaussian(positions * half, 3);
        float[] expected = new float[in.length];
        for (int token = 0; token < tokens; token++) {
            for (int i = 0; i < columns; i++) {
                int within = i % headDim;
                if (within >= 2 * half) {
                    expected[token * columns + i] = 7;
                    continue;
                }
                float c = cos[token % positions * half + within % half];
                float s = sin[token % positions * half + within % half];
                float x = in[token * columns + i];
                float partner = in[token * columns + (within < half ? i + half : i - half)];
                expected[token * columns + i] = Math.fma(x, c, within < half ? -(partner * s) : partner * s);
            }
        }
        for (DType type : List.of(DType.F32, DType.F16, DType.BF16)) {
            List<Outcome<float[]>> outcomes = LAB.exactly(run -> {
                float[] sevens = new float[tokens * columns];
                Arrays.fill(sevens, 7);
                DeviceMatrix out = run.put(type, tokens, columns, sevens);
                new RopeKernels(run.stream(), run.kernels())
                        .rotate(
                                run.put(DType.F32, tokens, columns, new Place(offset, stride), in),
                                headDim,
                                run.put(DType.F32, positions, half, cos),
                                run.put(DType.F32, positions, half, sin),
                                out);
                return run.values(out);
            });
            assertThat(outcomes)
                    .allSatisfy(outcome -> assertThat(outcome.result())
                            .as(outcome.label())
                            .isEqualTo(KernelRun.rounded(type, expected)));
        }
    }

    @Test
    void refusesWrongTypesAndExtents() {
        LAB.fast(run -> {
            RopeKernels kernels = new RopeKernels(run.stream());
            DeviceMatrix in = run.put(DType.F32, 2, 12, new float[24]);
            DeviceMatrix table = run.put(DType.F32, 2, 3, new float[6]);
            DeviceMatrix out = run.empty(DType.F16, 2, 12);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.rotate(in, 6, run.put(DType.F32, 2, 4, new float[8]), table, out))
                    .withMessageContaining("is not 2 x 4");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> {
                        DeviceMatrix wide = run.put(DType.F32, 2, 5, new float[10]);
                        kernels.rotate(in, 10, wide, wide, out);
                    })
                    .withMessageContaining("does not hold heads of 10");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> {
                        DeviceMatrix none = run.empty(DType.F32, 2, 0);
                        kernels.rotate(in, 0, none, none, out);
                    })
                    .withMessageContaining("does not hold heads of 0");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> {
                        DeviceMatrix none = run.empty(DType.F32, 0, 3);
                        kernels.rotate(in, 6, none, none, out);
                    })
                    .withMessageContaining("has no positions");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.rotate(in, 6, table, table, run.empty(DType.F16, 3, 12)))
                    .withMessageContaining("is not 2 x 12");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.rotate(run.put(DType.F16, 2, 12, new float[24]), 6, table, table, out))
                    .withMessageContaining("is not of F32");
            kernels.rotate(run.empty(DType.F32, 0, 12), 6, table, table, run.empty(DType.F16, 0, 12));
            return true;
        });
    }

    private static float[] gaussian(int count, long seed) {
        Random random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
