package io.gpuquant.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.tensor.DType;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The forward pass against a float64 one, over what Llama checkpoints differ in. */
class ReferenceForwardTest {

    private static Device device;

    @TempDir
    Path folder;

    @BeforeAll
    static void open() {
        device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 2));
    }

    @AfterAll
    static void close() {
        device.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4})
    void sharesKeysAmongQueries(int keyValueHeads) {
        matchesTheReference("{\"num_key_value_heads\": " + keyValueHeads + "}");
    }

    @Test
    void takesAsManyKeyHeadsAsQueryHeadsWhereNoNumberIsGiven() {
        matchesTheReference("{\"num_key_value_heads\": null, \"num_attention_heads\": 3}");
    }

    @Test
    void takesTheEmbeddingForATiedHead() {
        matchesTheReference("{\"tie_word_embeddings\": true}");
    }

    @ParameterizedTest
    @CsvSource({"true, false", "false, true", "true, true"})
    void addsBiases(boolean attention, boolean mlp) {
        matchesTheReference("{\"attention_bias\": " + attention + ", \"mlp_bias\": " + mlp + "}");
    }

    @ParameterizedTest
    @ValueSource(ints = {6, 16, 34})
    void takesHeadsThatDoNotMakeUpTheHiddenSize(int headDim) {
        matchesTheReference("{\"head_dim\": " + headDim + "}");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 31, 33, 127})
    void takesSequencesOfAnyLength(int length) {
        RandomModel model = RandomModel.of(RandomModel.config("{}"), DType.F16, length);

        matchesTheReference(model, model.sequences(2, length, 1));
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 7, 257})
    void takesVocabulariesOfAnySize(int vocabulary) {
        matchesTheReference("{\"vocab_size\": " + vocabulary + "}");
    }

    @ParameterizedTest
    @CsvSource({"2, 2, 1", "10, 3, 5", "34, 33, 1", "130, 259, 5"})
    void takesAnyWidth(int hidden, int inner, int heads) {
        matchesTheReference("""
                {"hidden_size": %d, "intermediate_size": %d, "num_attention_heads": %d, "num_key_value_heads": 1,
                 "num_hidden_layers": 1}
                """.formatted(hidden, inner, heads));
    }

    @ParameterizedTest
    @EnumSource(names = {"F16", "BF16", "F32"})
    void takesEveryElementType(DType dtype) {
        RandomModel model = RandomModel.of(RandomModel.config("{\"attention_bias\": true}"), dtype, 3);

        matchesTheReference(model, model.sequences(3, 17, 1));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"rope_theta\": 500.0}",
                "{\"rope_theta\": 1e6, \"rope_scaling\": null}",
                "{\"rope_parameters\": {\"rope_theta\": 500.0, \"rope_type\": \"default\"}}",
                "{\"rope_theta\": 500.0, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.5}}",
                "{\"rope_parameters\": {\"rope_theta\": 500.0, \"rope_type\": \"linear\", \"factor\": 2.5}}",
                """
                {"head_dim": 16, "rope_theta": 500.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0,
                 "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 128}}""",
                """
                {"head_dim": 16, "rope_parameters": {"rope_theta": 500.0, "rope_type": "llama3", "factor": 8.0,
                 "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 128}}""",
            })
    void rotatesAsTheConfigurationSays(String rope) {
        RandomModel model = RandomModel.of(RandomModel.config(rope), DType.F32, 4);

        matchesTheReference(model, model.sequences(1, 60, 1));
    }

    /** Without this, the cases of the test before could all be the same. */
    @Test
    void differsBetweenRotations() {
        RandomModel plain = RandomModel.of(RandomModel.config("{\"rope_theta\": 500.0}"), DType.F32, 4);
        RandomModel stretched = new RandomModel(
                RandomModel.config(
                        "{\"rope_theta\": 500.0, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.5}}"),
                plain.tensors());
        int[] ids = plain.sequences(1, 60, 1)[0];

        double[][] expected = ReferenceDecoder.of(plain).run(ids).logits();
        double[][] other = ReferenceDecoder.of(stretched).run(ids).logits();
        assertThat(Math.abs(expected[59][0] - other[59][0])).isGreaterThan(1e-3);
    }

    @ParameterizedTest
    @ValueSource(strings = {"1e-12", "0.5"})
    void addsTheEpsilonOfTheNorm(String epsilon) {
        matchesTheReference("{\"rms_norm_eps\": " + epsilon + "}");
    }

    /** Scores of 2100 positions take 16.8 MiB a head, so three heads fit at a time, and groups of two are cut. */
    @Test
    void computesTheScoresOfALongSequenceAFewHeadsAtATime() {
        RandomModel model = RandomModel.of(RandomModel.config("""
                        {"hidden_size": 12, "intermediate_size": 8, "num_attention_heads": 6, "num_key_value_heads": 3,
                         "num_hidden_layers": 1, "vocab_size": 13}"""), DType.F32, 5);

        matchesTheReference(model, model.sequences(1, 2100, 1));
    }

    private void matchesTheReference(String changes) {
        RandomModel model = RandomModel.of(RandomModel.config(changes), DType.F16, 1);
        matchesTheReference(model, model.sequences(3, 17, 2));
    }

    private void matchesTheReference(RandomModel model, int[]... sequences) {
        ReferenceMatch.require(device, model, model.write(folder), sequences);
    }
}
