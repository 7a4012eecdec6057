package io.gpuquant.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.gpuquant.calibration.TestSequences;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.model.RandomModel;
import io.gpuquant.model.ReferenceLlama;
import io.gpuquant.safetensors.TestCheckpoints;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ComparisonTest {

    private static final String CHANGED = "model.layers.0.mlp.up_proj.weight";

    @TempDir
    Path folder;

    /** 54 does not fall into vectors of four. */
    @ParameterizedTest
    @ValueSource(strings = {"{}", "{\"hidden_size\": 54, \"num_attention_heads\": 3, \"num_key_value_heads\": 1}"})
    void equalsTheReferenceInFloat64(String config) {
        RandomModel base = RandomModel.of(RandomModel.config(config), DType.F32, 61);
        RandomModel other = coarsened(base);
        int[][] sequences = base.sequences(3, 17, 62);

        List<ModelScores> scores = compare(Long.MAX_VALUE, sequences, base, other);

        Expected expected = Expected.of(base, other, sequences);
        ModelScores actual = scores.get(1);
        assertThat(actual.divergence()).isCloseTo(expected.divergence, within(1e-6));
        assertThat(expected.divergence).isGreaterThan(1e-4);
        assertThat(actual.agreement()).isCloseTo(expected.agreement, within(1e-12));
        assertThat(actual.layerErrors()).hasSize(2);
        for (int layer = 0; layer < 2; layer++) {
            double exact = expected.layerErrors[layer];
            assertThat(actual.layerErrors().get(layer)).isCloseTo(exact, within(1e-4 * exact));
        }
        assertThat(scores.getFirst().divergence()).isZero();
        assertThat(scores.getFirst().agreement()).isEqualTo(1);
        assertThat(scores.getFirst().layerErrors()).containsOnly(0.0);
    }

    @Test
    void findsNothingBetweenEqualModels() {
        RandomModel base = RandomModel.of(RandomModel.config("{}"), DType.F16, 63);

        ModelScores scores =
                compare(Long.MAX_VALUE, base.sequences(2, 9, 64), base, base).get(1);

        assertThat(scores.divergence()).isZero();
        assertThat(scores.agreement()).isEqualTo(1);
        assertThat(scores.layerErrors()).containsOnly(0.0);
    }

    @Test
    void scoresTokensAsOneModelAloneWould() {
        RandomModel base = RandomModel.of(RandomModel.config("{}"), DType.F16, 65);
        RandomModel other = coarsened(base);
        int[][] sequences = base.sequences(2, 9, 66);

        ModelScores together = compare(Long.MAX_VALUE, sequences, base, other).get(1);
        ModelScores alone = compare(Long.MAX_VALUE, sequences, other).getFirst();

        assertThat(together.tokens().ofSequence(1)).isEqualTo(alone.tokens().ofSequence(1));
    }

    /** Residual streams then are in memory of the process, a chunk at a time on the device. */
    @Test
    void findsTheSameWithLittleDeviceMemory() {
        RandomModel base = RandomModel.of(RandomModel.config("{}"), DType.F16, 67);
        RandomModel other = coarsened(base);
        int[][] sequences = base.sequences(1500, 31, 68);
        long tooLittle = 2L * 2 * 1500 * 31 * 48 * 4;

        ModelScores ample = compare(Long.MAX_VALUE, sequences, base, other).get(1);
        ModelScores scarce = compare(tooLittle, sequences, base, other).get(1);

        assertThat(scarce.divergence()).isEqualTo(ample.divergence());
        assertThat(scarce.layerErrors()).isEqualTo(ample.layerErrors());
    }

    @Test
    void refusesModelsOfOtherExtents() {
        RandomModel base = RandomModel.of(RandomModel.config("{}"), DType.F16, 69);
        RandomModel other = RandomModel.of(RandomModel.config("{\"num_hidden_layers\": 1}"), DType.F16, 70);

        assertThatThrownBy(() -> compare(Long.MAX_VALUE, base.sequences(1, 5, 71), base, other))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("different extents");
    }

    /** For every linear, {@code |X ΔWᵀ|² / |X Wᵀ|²} over all tokens, with the inputs X of the first model. */
    @Test
    void errorsOfLinearsEqualTheReferenceInFloat64() {
        RandomModel base = RandomModel.of(RandomModel.config("{}"), DType.F32, 72);
        RandomModel other = coarsened(base);
        int[][] sequences = base.sequences(3, 17, 73);

        WeightScores scores = compare(Evaluator.Depth.LINEARS, sequences, base, other)
                .get(1)
                .weights()
                .orElseThrow();

        assertThat(scores.linears()).hasSize(2 * 7);
        for (LinearError error : scores.linears()) {
            if (!error.linear().weightName().equals(CHANGED)) {
                assertThat(error.error()).as(error.linear().name()).isZero();
                continue;
            }
            assertThat(error.layer()).isZero();
            double[] w = base.values(CHANGED);
            double[] changed = other.values(CHANGED);
            double distance = 0;
            double square = 0;
            for (int[] ids : sequences) {
                // The MLP's input is that of the third stage.
                for (double[] x : ReferenceLlama.of(base).run(ids).stageInputs().get(2)) {
                    for (int row = 0; row < w.length / x.length; row++) {
                        double y = 0;
                        double difference = 0;
                        for (int i = 0; i < x.length; i++) {
                            y += x[i] * w[row * x.length + i];
                            difference += x[i] * (changed[row * x.length + i] - w[row * x.length + i]);
                        }
                        distance += difference * difference;
                        square += y * y;
                    }
                }
            }
            double exact = distance / square;
            assertThat(exact).isGreaterThan(1e-4);
            assertThat(error.error()).isCloseTo(exact, within(1e-4 * exact));
        }
        long weights = scores.linears().stream()
                .mapToLong(error -> (long) error.linear().in() * error.linear().out())
                .sum();
        assertThat(scores.weights().total()).isEqualTo(weights);
        assertThat(scores.errors().total()).isEqualTo(weights);
        assertThat(scores.errors().zeros())
                .isGreaterThanOrEqualTo(weights - base.values(CHANGED).length)
                .isLessThan(weights);
    }

    /** A norm halved and the columns after it doubled, the rows of a linear tripled and the columns after it divided. */
    @Test
    void factorsThatCancelAreNoErrors() {
        RandomModel base = RandomModel.of(RandomModel.config("{\"num_key_value_heads\": 4}"), DType.F32, 74);
        String layer = "model.layers.0.";
        RandomModel scaled = base;
        scaled = scaled(scaled, layer + "input_layernorm.weight", 0.5);
        for (String name : List.of("q_proj", "k_proj", "v_proj")) {
            scaled = scaled(scaled, layer + "self_attn." + name + ".weight", name.equals("v_proj") ? 6 : 2);
        }
        scaled = scaled(scaled, layer + "self_attn.o_proj.weight", 1 / 3.0);

        ModelScores scores = compare(Evaluator.Depth.LINEARS, base.sequences(2, 9, 75), base, scaled)
                .get(1);

        assertThat(scores.layerErrors().getLast()).isLessThan(1e-9);
        for (LinearError error : scores.weights().orElseThrow().linears()) {
            assertThat(error.error()).as(error.linear().name()).isLessThan(1e-12);
        }
    }

    private static RandomModel scaled(RandomModel model, String name, double factor) {
        HostTensor tensor = model.tensor(name);
        double[] values = model.values(name);
        float[] changed = new float[values.length];
        for (int i = 0; i < changed.length; i++) {
            changed[i] = (float) (values[i] * factor);
        }
        return model.with(name, List.of(TestCheckpoints.tensor(name, tensor.dtype(), tensor.shape(), changed)));
    }

    private List<ModelScores> compare(Evaluator.Depth depth, int[][] sequences, RandomModel... models) {
        return compare(Long.MAX_VALUE, depth, sequences, models);
    }

    /** The model with one weight rounded to a few values. */
    private static RandomModel coarsened(RandomModel model) {
        HostTensor weight = model.tensor(CHANGED);
        double[] values = model.values(CHANGED);
        float[] coarse = new float[values.length];
        for (int i = 0; i < coarse.length; i++) {
            coarse[i] = (float) (Math.rint(values[i] * 8) / 8);
        }
        return model.with(CHANGED, List.of(TestCheckpoints.tensor(CHANGED, weight.dtype(), weight.shape(), coarse)));
    }

    private List<ModelScores> compare(long memory, int[][] sequences, RandomModel... models) {
        return compare(memory, Evaluator.Depth.LAYERS, sequences, models);
    }

    private List<ModelScores> compare(long memory, Evaluator.Depth depth, int[][] sequences, RandomModel... models) {
        List<OpenModel> opened = new ArrayList<>();
        try (Device device = HostDevice.open(new DeviceOptions(memory, 2))) {
            for (RandomModel model : models) {
                Path place = folder.resolve("model" + opened.size());
                opened.add(OpenModel.open(model.write(place)));
            }
            List<EvaluatedModel> evaluated = opened.stream()
                    .map(model -> new EvaluatedModel(model.structure(), model.weights(device)))
                    .toList();
            List<ModelScores> scores =
                    new Evaluator(device, evaluated).compare(TestSequences.of(sequences), depth, done -> {});
            assertThat(device.memory().heldBytes()).isZero();
            return scores;
        } finally {
            opened.forEach(OpenModel::close);
        }
    }

    /** The comparison of two models in float64. */
    private record Expected(double divergence, double agreement, double[] layerErrors) {

        static Expected of(RandomModel base, RandomModel other, int[]... sequences) {
            double divergence = 0;
            double agreeing = 0;
            int predictions = 0;
            double[] distances = new double[2];
            double[] squares = new double[2];
            for (int[] ids : sequences) {
                ReferenceLlama.Pass p = ReferenceLlama.of(base).run(ids);
                ReferenceLlama.Pass q = ReferenceLlama.of(other).run(ids);
                for (int i = 0; i + 1 < ids.length; i++) {
                    divergence += divergence(p.logits()[i], q.logits()[i]);
                    agreeing += likeliest(p.logits()[i]) == likeliest(q.logits()[i]) ? 1 : 0;
                    predictions++;
                }
                for (int layer = 0; layer < 2; layer++) {
                    addDistance(p.hidden().get(layer + 1), q.hidden().get(layer + 1), layer, distances, squares);
                }
            }
            double[] errors = {distances[0] / squares[0], distances[1] / squares[1]};
            return new Expected(divergence / predictions, agreeing / predictions, errors);
        }

        private static void addDistance(double[][] p, double[][] q, int layer, double[] distances, double[] squares) {
            for (int i = 0; i < p.length; i++) {
                for (int j = 0; j < p[i].length; j++) {
                    distances[layer] += (q[i][j] - p[i][j]) * (q[i][j] - p[i][j]);
                    squares[layer] += p[i][j] * p[i][j];
                }
            }
        }

        private static double divergence(double[] p, double[] q) {
            double logP = logOfSum(p);
            double logQ = logOfSum(q);
            double sum = 0;
            for (int i = 0; i < p.length; i++) {
                sum += Math.exp(p[i] - logP) * (p[i] - logP - q[i] + logQ);
            }
            return sum;
        }

        private static double logOfSum(double[] values) {
            return Math.log(Arrays.stream(values).map(Math::exp).sum());
        }

        private static int likeliest(double[] values) {
            int best = 0;
            for (int i = 1; i < values.length; i++) {
                best = values[i] > values[best] ? i : best;
            }
            return best;
        }
    }
}
