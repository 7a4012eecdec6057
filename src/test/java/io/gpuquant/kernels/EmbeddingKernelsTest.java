package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Of class A: bit-equal to plain Java. */
final class EmbeddingKernelsTest {

    private static final KernelLab LAB = new KernelLab("embedding");

    @AfterAll
    static void close() {
        LAB.close();
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1, 3",
        "33, 31, 1",
        "31, 33, 11.3125",
        "3, 127, 1",
        "3, 129, 7.1",
        "17, 64, 1",
        "9, 132, 11.3125",
        "2, 1036, 1",
        "69, 516, 0.1"
    })
    void looksUpRowsOfAnyType(int tokens, int width, float scale) {
        int vocabulary = 11;
        Random random = new Random(1);
        int[] ids = random.ints(tokens, 0, vocabulary).toArray();
        ids[0] = vocabulary - 1;
        float[] table = new float[vocabulary * width];
        for (int i = 0; i < table.length; i++) {
            table[i] = (float) random.nextGaussian();
        }
        for (DType type : List.of(DType.F32, DType.F16, DType.BF16)) {
            float[] rounded = KernelRun.rounded(type, table);
            float[] expected = new float[tokens * width];
            for (int t = 0; t < tokens; t++) {
                for (int i = 0; i < width; i++) {
                    expected[t * width + i] = rounded[ids[t] * width + i] * scale;
                }
            }
            List<KernelLab.Outcome<float[]>> outcomes = LAB.exactly(run -> {
                DeviceMatrix hidden = run.empty(DType.F32, tokens, width);
                new EmbeddingKernels(run.stream(), run.kernels())
                        .gather(run.put(type, vocabulary, width, table), run.put(ids), scale, hidden);
                return run.values(hidden);
            });
            assertThat(outcomes)
                    .allSatisfy(outcome ->
                            assertThat(outcome.result()).as(outcome.label()).isEqualTo(expected));
        }
    }

    @Test
    void refusesWrongTypesAndExtents() {
        LAB.fast(run -> {
            EmbeddingKernels kernels = new EmbeddingKernels(run.stream());
            DeviceMatrix table = run.put(DType.F16, 5, 4, new float[20]);
            DeviceMatrix hidden = run.empty(DType.F32, 3, 4);
            DeviceMatrix ids = run.put(0, 1, 2);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.gather(table, run.put(0, 1), 1, hidden))
                    .withMessageContaining("is not 1 x 3");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.gather(table, ids, 1, run.empty(DType.F32, 3, 5)))
                    .withMessageContaining("is not 3 x 4");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.gather(table, ids, 1, run.empty(DType.F16, 3, 4)))
                    .withMessageContaining("is not of F32");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.gather(table.columns(0, 3), ids, 1, run.empty(DType.F32, 3, 3)))
                    .withMessageContaining("is not dense");
            kernels.gather(table, run.put(), 1, run.empty(DType.F32, 0, 4));
            return true;
        });
    }
}
