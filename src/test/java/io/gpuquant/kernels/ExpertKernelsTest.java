package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ExpertKernels.Shares;
import io.gpuquant.tensor.DType;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ExpertKernelsTest {

    private static final KernelLab LAB = new KernelLab("moe");

    @AfterAll
    static void close() {
        LAB.close();
    }

    /** What a run of the router gave. */
    private record Routing(List<Integer> ids, List<Float> shares) {}

    @ParameterizedTest
    @CsvSource({
        "1, 1, 1",
        "3, 4, 2",
        "17, 6, 6",
        "9, 8, 2",
        "5, 33, 3",
        "33, 31, 1",
        "3, 130, 8",
        "2, 64, 64",
        "70, 7, 2"
    })
    void choosesTheLargestLogits(int tokens, int experts, int chosen) {
        float[] logits = gaussian(tokens * experts, 2, experts);
        // Of equal ones the first.
        logits[(tokens - 1) * experts] = logits[tokens * experts - 1];
        for (Shares kind : Shares.values()) {
            assertThat(route(tokens, experts, chosen, kind, logits)).allSatisfy(outcome -> {
                for (int token = 0; token < tokens; token++) {
                    requireRouting(outcome, token, experts, chosen, kind, logits);
                }
            });
        }
    }

    @Test
    void takesTheFirstOfEqualLogits() {
        float[] logits = new float[40];
        assertThat(route(1, 40, 3, Shares.OF_CHOSEN, logits)).allSatisfy(outcome -> {
            assertThat(outcome.result().ids()).as(outcome.label()).containsExactly(0, 1, 2);
            assertThat(outcome.result().shares())
                    .as(outcome.label())
                    .allSatisfy(share -> assertThat(share).isBetween(0.333333f, 0.333334f));
        });
    }

    private static void requireRouting(
            KernelLab.Outcome<Routing> outcome, int token, int experts, int chosen, Shares kind, float[] logits) {
        double[] row = IntStream.range(0, experts)
                .mapToDouble(expert -> logits[token * experts + expert])
                .toArray();
        List<Integer> expected = IntStream.range(0, experts)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer expert) -> -row[expert]))
                .limit(chosen)
                .toList();
        List<Integer> ids = outcome.result().ids().subList(token * chosen, (token + 1) * chosen);
        assertThat(ids).as(outcome.label() + ", token " + token).isEqualTo(expected);
        double maximum = row[expected.getFirst()];
        double sum = 0;
        for (int expert = 0; expert < experts; expert++) {
            sum += kind == Shares.OF_ALL || expected.contains(expert) ? Math.exp(row[expert] - maximum) : 0;
        }
        for (int place = 0; place < chosen; place++) {
            double exact = Math.exp(row[expected.get(place)] - maximum) / sum;
            double bound = exact
                    * (2 * Bounds.EX2 + (4 * (maximum - row[expected.get(place)]) + experts + 8) * Bounds.ROUNDING);
            int at = place;
            Bounds.requireClose(
                    outcome.result().shares().get(token * chosen + place),
                    exact,
                    bound,
                    () -> outcome.label() + ", token " + token + ", place " + at);
        }
    }

    private static List<KernelLab.Outcome<Routing>> route(
            int tokens, int experts, int chosen, Shares kind, float[] logits) {
        return LAB.approximately(run -> {
            DeviceMatrix ids = run.empty(DType.I32, tokens, chosen);
            DeviceMatrix shares = run.empty(DType.F32, tokens, chosen);
            new ExpertKernels(run.stream(), run.kernels())
                    .route(run.put(DType.F32, tokens, experts, logits), kind, ids, shares);
            return new Routing(integers(run, ids), floats(run.values(shares)));
        });
    }

    private static List<Integer> integers(KernelRun run, DeviceMatrix matrix) {
        java.nio.IntBuffer words = java.nio.ByteBuffer.wrap(run.bytes(matrix))
                .order(java.nio.ByteOrder.LITTLE_ENDIAN)
                .asIntBuffer();
        return IntStream.range(0, words.remaining()).mapToObj(words::get).toList();
    }

    private static List<Float> floats(float... values) {
        return IntStream.range(0, values.length).mapToObj(i -> values[i]).toList();
    }

    /** Bit-equal to plain Java. */
    @ParameterizedTest
    @CsvSource({"1, 1, 1", "5, 31, 2", "9, 33, 3", "17, 64, 2", "4, 260, 8", "70, 516, 2"})
    void gathersAndScattersRows(int tokens, int columns, int chosen) {
        Random random = new Random(columns);
        // Every second token, with a place of its own.
        int[] slots = IntStream.range(0, (tokens + 1) / 2)
                .map(i -> 2 * i * chosen + random.nextInt(chosen))
                .toArray();
        float[] in = gaussian(tokens * columns, 1, 1);
        float[] delta = gaussian(slots.length * columns, 1, 2);
        float[] shares = gaussian(tokens * chosen, 1, 3);
        for (DType type : List.of(DType.F32, DType.F16, DType.BF16)) {
            float[] rounded = KernelRun.rounded(type, in);
            float[] gathered = new float[slots.length * columns];
            for (int i = 0; i < slots.length; i++) {
                System.arraycopy(rounded, slots[i] / chosen * columns, gathered, i * columns, columns);
            }
            assertThat(LAB.exactly(run -> {
                        DeviceMatrix out = run.empty(type, slots.length, columns);
                        new ExpertKernels(run.stream(), run.kernels())
                                .gather(run.put(type, tokens, columns, in), run.put(slots), chosen, out);
                        return run.values(out);
                    }))
                    .allSatisfy(outcome ->
                            assertThat(outcome.result()).as(outcome.label()).isEqualTo(gathered));
        }
        float[] sums = in.clone();
        for (int i = 0; i < slots.length; i++) {
            for (int c = 0; c < columns; c++) {
                int at = slots[i] / chosen * columns + c;
                sums[at] = Math.fma(shares[slots[i]], delta[i * columns + c], sums[at]);
            }
        }
        assertThat(LAB.exactly(run -> {
                    DeviceMatrix hidden = run.put(DType.F32, tokens, columns, in);
                    new ExpertKernels(run.stream(), run.kernels())
                            .scatterAdd(
                                    run.put(DType.F32, slots.length, columns, delta),
                                    run.put(DType.F32, tokens, chosen, shares),
                                    run.put(slots),
                                    hidden);
                    return run.values(hidden);
                }))
                .allSatisfy(outcome ->
                        assertThat(outcome.result()).as(outcome.label()).isEqualTo(sums));
    }

    @Test
    void refusesWrongTypesAndExtents() {
        LAB.fast(run -> {
            ExpertKernels kernels = new ExpertKernels(run.stream());
            DeviceMatrix logits = run.put(DType.F32, 3, 4, new float[12]);
            DeviceMatrix ids = run.empty(DType.I32, 3, 5);
            DeviceMatrix shares = run.empty(DType.F32, 3, 5);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.route(logits, Shares.OF_ALL, ids, shares))
                    .withMessageContaining("5 of 4 experts");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.route(logits.rows(0, 2), Shares.OF_ALL, ids, shares))
                    .withMessageContaining("is not 3 x 4");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.gather(logits, run.put(0, 1), 1, run.empty(DType.F16, 2, 4)))
                    .withMessageContaining("is not of F32");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.scatterAdd(logits, shares, run.put(0, 1), logits))
                    .withMessageContaining("is not 1 x 3");
            kernels.gather(logits, run.put(), 1, run.empty(DType.F32, 0, 4));
            return true;
        });
    }

    private static float[] gaussian(int count, double scale, long seed) {
        Random random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) (scale * random.nextGaussian());
        }
        return values;
    }
}
