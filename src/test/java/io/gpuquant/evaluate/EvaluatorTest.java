package io.gpuquant.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.gpuquant.InputException;
import io.gpuquant.calibration.TestSequences;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.DeviceOutOfMemoryException;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.model.Deviation;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.RandomModel;
import io.gpuquant.model.ReferenceDecoder;
import io.gpuquant.safetensors.TestCheckpoints;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EvaluatorTest {

    private static final String TINY = """
            {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_key_value_heads": 1,
             "num_hidden_layers": 1, "vocab_size": 11}""";

    @TempDir
    Path folder;

    private Device device;

    @BeforeEach
    void open() {
        device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 2));
    }

    @AfterEach
    void close() {
        device.close();
    }

    @ParameterizedTest
    @CsvSource({"1, 2", "3, 33", "2, 127"})
    void givesTheLogProbabilitiesOfTheReference(int count, int length) {
        RandomModel model = RandomModel.of(RandomModel.config("{}"), DType.F16, 41);

        matchesTheReference(model, model.sequences(count, length, 42));
    }

    /** 4096 tokens are a chunk. */
    @Test
    void scoresMoreSequencesThanFitAChunk() {
        RandomModel model = RandomModel.of(RandomModel.config(TINY), DType.F32, 43);

        matchesTheReference(model, model.sequences(135, 31, 44));
    }

    /** 2048 rows of logits are computed at once. */
    @Test
    void scoresALongSequenceInPieces() {
        RandomModel model = RandomModel.of(RandomModel.config(TINY), DType.F32, 45);

        matchesTheReference(model, model.sequences(1, 2055, 46));
    }

    private void matchesTheReference(RandomModel model, int[]... sequences) {
        TokenScores scores = score(model, sequences);

        ModelConfig config = ModelConfig.read(folder);
        // The logarithm of a sum of exponentials moves no further than the logits do; nor does the logit of the token.
        double tolerance = 2 * 3 * (Deviation.toleranceOfLogits(config) + Deviation.ofAngles(sequences[0].length));
        double sum = 0;
        for (int i = 0; i < sequences.length; i++) {
            double[] expected = ReferenceDecoder.of(model).logProbabilities(sequences[i]);
            float[] actual = scores.ofSequence(i);
            assertThat(actual).hasSize(sequences[i].length - 1);
            for (int j = 0; j < actual.length; j++) {
                assertThat((double) actual[j]).isCloseTo(expected[j], within(tolerance));
            }
            sum += Arrays.stream(expected).sum();
        }
        long tokens = (long) sequences.length * (sequences[0].length - 1);
        assertThat(scores.sequences()).isEqualTo(sequences.length);
        assertThat(scores.tokens()).isEqualTo(tokens);
        assertThat(scores.crossEntropy()).isCloseTo(-sum / tokens, within(tolerance));
        double perplexity = Math.exp(-sum / tokens);
        assertThat(scores.perplexity()).isCloseTo(perplexity, within(perplexity * tolerance));
    }

    @Test
    void findsEveryTokenEquallyLikelyWhereAllLogitsAreZero() {
        RandomModel model = RandomModel.of(RandomModel.config("{}"), DType.F16, 47);
        HostTensor head = model.tensor("lm_head.weight");
        RandomModel uniform = model.with(
                head.name(),
                List.of(TestCheckpoints.tensor(head.name(), DType.F16, head.shape(), new float[101 * 48])));

        assertThat(score(uniform, model.sequences(2, 9, 48)).perplexity()).isCloseTo(101, within(1e-4));
    }

    @Test
    void tellsHowManyLayersAreDone() {
        RandomModel model = RandomModel.of(RandomModel.config("{\"num_hidden_layers\": 3}"), DType.F16, 49);
        model.write(folder);
        List<Integer> done = new ArrayList<>();
        try (OpenModel opened = OpenModel.open(folder)) {
            new Evaluator(device, opened.structure(), opened.weights(device))
                    .score(TestSequences.of(model.sequences(1, 4, 50)), done::add);
        }

        assertThat(done).containsExactly(1, 2, 3);
    }

    @Test
    void givesBackAllMemory() {
        RandomModel model = RandomModel.of(RandomModel.config(TINY), DType.F16, 51);
        score(model, model.sequences(1, 4, 52));

        assertThat(device.memory().heldBytes()).isZero();
        assertThat(device.memory().peakBytes()).isPositive();
    }

    @Test
    void refusesAnIncompleteModelBeforeItTakesMemory() {
        RandomModel model = RandomModel.of(RandomModel.config("{}"), DType.F16, 53);
        String lacking = "model.layers.1.mlp.down_proj.weight";
        model.with(lacking, List.of()).write(folder);
        try (OpenModel opened = OpenModel.open(folder)) {
            assertThatThrownBy(() -> new Evaluator(device, opened.structure(), opened.weights(device)))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("has no tensor " + lacking);
        }
        assertThat(device.memory().peakBytes()).isZero();
    }

    /** What would be an hour's wait and a dead process if the configuration were believed. */
    @Test
    void refusesSizesThatOnlyTheConfigurationHas() {
        RandomModel model = RandomModel.of(RandomModel.config("{}"), DType.F16, 54);
        model.config().put("hidden_size", 1 << 20);
        model.config().put("head_dim", 12);
        model.write(folder);
        try (OpenModel opened = OpenModel.open(folder)) {
            assertThatThrownBy(() -> new Evaluator(device, opened.structure(), opened.weights(device)))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("model.embed_tokens.weight has shape [101, 48], but config.json calls for"
                            + " [101, 1048576]");
        }
        assertThat(device.memory().peakBytes()).isZero();
    }

    @Test
    void refusesAModelThatOverflows() {
        RandomModel model = RandomModel.of(RandomModel.config("{}"), DType.F32, 55);
        for (String name : List.of("model.layers.0.mlp.gate_proj.weight", "model.layers.0.mlp.up_proj.weight")) {
            float[] huge = new float[80 * 48];
            Arrays.fill(huge, 1e25f);
            model = model.with(name, List.of(TestCheckpoints.tensor(name, DType.F32, Shape.of(80, 48), huge)));
        }
        RandomModel overflowing = model;

        assertThatThrownBy(() -> score(overflowing, overflowing.sequences(2, 5, 56)))
                .isInstanceOf(InputException.class)
                .hasMessage("the model gives no number for the token at position 1 of sequence 0; its weights are"
                        + " damaged, or its activations overflow F32");
    }

    @Test
    void saysWhatDoesNotFit() {
        RandomModel model = RandomModel.of(RandomModel.config("{}"), DType.F16, 57);
        model.write(folder);
        try (Device small = HostDevice.open(new DeviceOptions(100_000, 1));
                OpenModel opened = OpenModel.open(folder)) {
            Evaluator evaluator = new Evaluator(small, opened.structure(), opened.weights(small));

            assertThatThrownBy(() -> evaluator.score(TestSequences.of(model.sequences(20, 40, 58)), done -> {}))
                    .isInstanceOf(DeviceOutOfMemoryException.class)
                    .hasMessage("not enough memory on host: residual stream needs 150.0 KiB, 0.0 KiB are in use and the"
                            + " limit is 97.7 KiB; lower --sequence-length or --samples, or raise --device-memory if it"
                            + " was set");
        }
    }

    private TokenScores score(RandomModel model, int[]... sequences) {
        model.write(folder);
        try (OpenModel opened = OpenModel.open(folder)) {
            assertThat(opened.scheme()).isEmpty();
            return new Evaluator(device, opened.structure(), opened.weights(device))
                    .score(TestSequences.of(sequences), done -> {});
        }
    }
}
