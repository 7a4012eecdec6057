package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.KernelRun.Place;
import io.gpuquant.tensor.DType;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Class C, against float64: exponentials are approximate, matrix units truncate, and weights are rounded to the half type. */
final class AttentionKernelsTest {

    /** One for each size of heads: these kernels are long, and a machine reads them once. */
    private static final Map<Integer, KernelLab> LABS = new HashMap<>();

    private static KernelLab lab(int headDim) {
        return LABS.computeIfAbsent(headDim, size -> new KernelLab("attention_" + size));
    }

    @AfterAll
    static void close() {
        LABS.values().forEach(KernelLab::close);
    }

    /** Queries, keys and values in float32 that the type has. */
    @SuppressWarnings("ArrayRecordComponent") // Bulk data that is only read.
    private record Input(DType dtype, int tokens, int heads, int keyHeads, int headDim, float[][] operands) {

        static Input random(DType dtype, int tokens, int heads, int keyHeads, int headDim) {
            Random random = new Random(tokens + headDim);
            float[][] operands = new float[3][];
            for (int i = 0; i < 3; i++) {
                float[] values = new float[tokens * (i == 0 ? heads : keyHeads) * headDim];
                for (int j = 0; j < values.length; j++) {
                    values[j] = (float) random.nextGaussian() * (i == 0 ? 2 : 1);
                }
                operands[i] = KernelRun.rounded(dtype, values);
            }
            return new Input(dtype, tokens, heads, keyHeads, headDim, operands);
        }

        /** Computes in windows with rows eight elements apart. */
        float[] attend(KernelRun run, int length, AttentionRule rule) {
            DeviceMatrix out = run.patterned(dtype, tokens, heads * headDim, place(heads));
            new AttentionKernels(run.stream(), size -> run.kernels())
                    .attend(
                            put(run, heads, operands[0]),
                            put(run, keyHeads, operands[1]),
                            put(run, keyHeads, operands[2]),
                            length,
                            headDim,
                            rule,
                            out);
            run.requireUntouchedAround(out);
            return run.values(out);
        }

        private DeviceMatrix put(KernelRun run, int count, float[] values) {
            return run.put(dtype, tokens, count * headDim, place(count), values);
        }

        private Place place(int count) {
            return new Place(8, count * headDim + 8);
        }
    }

    @ParameterizedTest
    @CsvSource({
        // type, sequences, length, heads, key heads, head, causal, window, cap
        "F16, 1, 70, 2, 1, 64, true, 0, 0",
        "BF16, 2, 33, 4, 2, 64, true, 0, 0",
        "F16, 1, 131, 1, 1, 64, true, 40, 0",
        "BF16, 1, 66, 1, 1, 64, false, 0, 0",
        "F16, 1, 70, 1, 1, 64, false, 9, 3",
        "BF16, 1, 65, 2, 1, 96, true, 0, 0",
        "F16, 1, 64, 1, 1, 96, true, 1, 0",
        "F16, 1, 67, 1, 1, 128, true, 0, 20",
        "BF16, 1, 1, 3, 1, 128, true, 0, 0",
        "BF16, 1, 66, 1, 1, 256, true, 30, 50",
        "F16, 1, 34, 2, 1, 256, false, 0, 0"
    })
    void weighsTheValuesThatAQuerySees(
            DType dtype,
            int sequences,
            int length,
            int heads,
            int keyHeads,
            int headDim,
            boolean causal,
            int window,
            float cap) {
        AttentionRule rule = new AttentionRule((float) (1 / Math.sqrt(headDim)), causal, window, cap);
        Input input = Input.random(dtype, sequences * length, heads, keyHeads, headDim);
        AttentionOracle oracle = new AttentionOracle(dtype, length, heads, keyHeads, headDim, rule);
        assertThat(lab(headDim).approximately(run -> input.attend(run, length, rule)))
                .allSatisfy(outcome -> oracle.requireClose(
                        outcome.label(), input.operands[0], input.operands[1], input.operands[2], outcome.result()));
    }

    @Test
    void goesThroughManyTilesOfKeys() {
        int length = 450;
        AttentionRule rule = new AttentionRule(0.3f, true, 300, 0);
        Input input = Input.random(DType.F16, length, 1, 1, 64);
        float[] result = lab(64).fast(run -> input.attend(run, length, rule));
        new AttentionOracle(DType.F16, length, 1, 1, 64, rule)
                .requireClose("fast", input.operands[0], input.operands[1], input.operands[2], result);
    }

    @Test
    void carriesNanToTheQueriesThatSeeIt() {
        int length = 70;
        Input input = Input.random(DType.BF16, length, 1, 1, 64);
        input.operands[1][50 * 64 + 7] = Float.NaN;
        float[] result = lab(64).fast(run -> input.attend(run, length, AttentionRule.causal(0.125f)));
        for (int i = 0; i < result.length; i++) {
            assertThat(Float.isNaN(result[i])).as("element " + i).isEqualTo(i / 64 >= 50);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {64, 96, 128, 256})
    void differsBetweenTheTypesInTheTypesOnly(int headDim) {
        String text = KernelFiles.module("attention_" + headDim + ".ptx").text();
        assertThat(KernelText.entry(text, "attention_bf16_" + headDim).replace("bf16", "f16"))
                .isEqualTo(KernelText.entry(text, "attention_f16_" + headDim));
    }

    @Test
    void refusesWhatItHasNoKernelForAndWhatIsNotAligned() {
        lab(64).fast(run -> {
            AttentionKernels kernels = new AttentionKernels(run.stream());
            AttentionRule rule = AttentionRule.causal(1);
            DeviceMatrix good = run.empty(DType.F16, 4, 128);
            DeviceMatrix floats = run.empty(DType.F32, 4, 128);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.attend(good, good, good, 4, 32, rule, good))
                    .withMessageContaining("no attention kernel for heads of 32 F16");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.attend(floats, floats, floats, 4, 64, rule, floats))
                    .withMessageContaining("no attention kernel for heads of 64 F32");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.attend(good, good, good, 3, 64, rule, good))
                    .withMessageContaining("in sequences of 3");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.attend(good, good, good, 4, 96, rule, good))
                    .withMessageContaining("in heads of 96");
            DeviceMatrix shifted = run.put(DType.F16, 4, 128, new Place(1, 128), new float[512]);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.attend(good, shifted, good, 4, 64, rule, good))
                    .withMessageContaining("is not aligned to 16 bytes");
            return true;
        });
        assertThat(AttentionKernels.supports(64, DType.BF16)).isTrue();
        assertThat(AttentionKernels.supports(64, DType.F32)).isFalse();
        assertThat(AttentionKernels.supports(80, DType.F16)).isFalse();
        assertThatIllegalArgumentException().isThrownBy(() -> new AttentionRule(0, true, 0, 0));
        assertThatIllegalArgumentException().isThrownBy(() -> new AttentionRule(1, true, -1, 0));
        assertThatIllegalArgumentException().isThrownBy(() -> new AttentionRule(1, true, 0, Float.NaN));
    }
}
