package io.gpuquant.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RopeReaderTest {

    private static final String LLAMA3 = "\"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0";

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "`\"rope_theta\": 10000.0, \"rope_scaling\": null`",
                "`\"rope_theta\": 10000, \"rope_scaling\": {}`",
                "`\"rope_parameters\": {\"rope_theta\": 10000.0, \"rope_type\": \"default\"}`",
                "`\"rope_parameters\": {\"rope_type\": \"default\"}, \"rope_theta\": 10000.0`",
                "`\"rope_parameters\": {\"rope_theta\": 10000.0}, \"rope_theta\": 10000`",
                "`\"partial_rotary_factor\": 1.0, \"rope_parameters\": {\"partial_rotary_factor\": 1}`",
            })
    void readsBothNotationsOfThePlainEmbedding(String keys) throws IOException {
        assertThat(read(keys)).isEqualTo(new RopeParameters(10_000, new RopeScaling.None()));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "`\"rope_theta\": 5e5, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}`",
                "`\"rope_theta\": 5e5, \"rope_scaling\": {\"rope_type\": \"linear\", \"type\": \"linear\", \"factor\": 2}`",
                "`\"rope_parameters\": {\"rope_theta\": 500000, \"rope_type\": \"linear\", \"factor\": 2.0}`",
                "`\"rope_parameters\": {\"rope_theta\": 500000, \"rope_type\": \"linear\", \"factor\": 2.0}, \"rope_theta\": 5e5, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}`",
            })
    void readsBothNotationsOfLinearScaling(String keys) throws IOException {
        assertThat(read(keys)).isEqualTo(new RopeParameters(500_000, new RopeScaling.Linear(2)));
    }

    @Test
    void readsBothNotationsOfLlama3Scaling() throws IOException {
        RopeParameters expected = new RopeParameters(500_000, new RopeScaling.Llama3(8, 1, 4, 64));

        assertThat(read("\"rope_parameters\": {\"rope_theta\": 500000.0, \"rope_type\": \"llama3\","
                        + " \"original_max_position_embeddings\": 64, " + LLAMA3 + "}"))
                .isEqualTo(expected);
        assertThat(read("\"rope_theta\": 500000.0, \"rope_scaling\": {\"rope_type\": \"llama3\","
                        + " \"original_max_position_embeddings\": 64, " + LLAMA3 + "}"))
                .isEqualTo(expected);
        assertThat(read("\"rope_theta\": 500000.0, \"original_max_position_embeddings\": 64,"
                        + " \"rope_scaling\": {\"rope_type\": \"llama3\", " + LLAMA3 + "}"))
                .isEqualTo(expected);
    }

    @Test
    void readsYarn() throws IOException {
        assertThat(read("\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0,"
                                + " \"original_max_position_embeddings\": 512}")
                        .scaling())
                .isEqualTo(new RopeScaling.Yarn(4, new RopeScaling.YarnTurns(32, 1, true), 0.1 * Math.log(4) + 1, 512));
        assertThat(read("\"rope_parameters\": {\"rope_type\": \"yarn\", \"original_max_position_embeddings\": 256,"
                                + " \"mscale\": 1.0, \"mscale_all_dim\": 0.5, \"beta_fast\": 24, \"truncate\": false}")
                        .scaling())
                .isEqualTo(new RopeScaling.Yarn(
                        8,
                        new RopeScaling.YarnTurns(24, 1, false),
                        (0.1 * Math.log(8) + 1) / (0.05 * Math.log(8) + 1),
                        256));
        assertThat(read("\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0, \"attention_factor\": 1.5}")
                        .scaling())
                .isEqualTo(new RopeScaling.Yarn(4, new RopeScaling.YarnTurns(32, 1, true), 1.5, 2048));
    }

    @Test
    void dynamicScalingBeginsBeyondWhatTheModelTakes() throws IOException {
        assertThat(read("\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 4.0}")
                        .scaling())
                .isEqualTo(new RopeScaling.None());
    }

    @Test
    void takesTheModelsContextForTheOriginalOneWhenThereIsNoOther() throws IOException {
        assertThat(read("\"rope_scaling\": {\"rope_type\": \"llama3\", " + LLAMA3 + "}")
                        .scaling())
                .isEqualTo(new RopeScaling.Llama3(8, 1, 4, 2048));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "`\"rope_theta\": 10000, \"rope_parameters\": {\"rope_theta\": 500000}` | `\"rope_theta\" disagrees with rope_parameters.rope_theta`",
                "`\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}, \"rope_parameters\": {\"rope_type\": \"default\"}` | `\"rope_scaling\" disagrees with rope_parameters`",
                "`\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}, \"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 4}` | `\"rope_scaling\" disagrees with rope_parameters`",
                "`\"original_max_position_embeddings\": 64, \"rope_scaling\": {\"type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 128}` | `\"original_max_position_embeddings\" disagrees`",
            })
    void refusesNotationsThatDisagree(String keys, String message) {
        refuses(keys, message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "`\"rope_scaling\": {\"rope_type\": \"ntk\", \"factor\": 4}` | `\"rope_scaling.rope_type\" is \"ntk\", which is not supported; use a model whose type is default, linear, dynamic, llama3, yarn or longrope`",
                "`\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4, \"beta_fast\": 1, \"beta_slow\": 1}` | `\"rope_scaling.beta_fast\" is 1.0, not above beta_slow 1.0`",
                "`\"rope_parameters\": {\"rope_type\": \"longrope\"}` | `\"rope_parameters.short_factor\" is missing`",
                "`\"rope_scaling\": {\"type\": \"linear\"}` | `\"rope_scaling.factor\" is missing`",
                "`\"rope_scaling\": {\"type\": \"linear\", \"factor\": -2}` | `\"rope_scaling.factor\" is -2, not a positive number`",
                "`\"rope_scaling\": {\"type\": 3}` | `\"rope_scaling.type\" is 3, not a string`",
                "`\"rope_theta\": \"1e4\"` | `\"rope_theta\" is \"1e4\", not a positive number`",
                "`\"rope_parameters\": {\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4, \"high_freq_factor\": 4}` | `\"rope_parameters.high_freq_factor\" is 4.0, not above low_freq_factor 4.0`",
                "`\"rope_parameters\": {\"rope_type\": \"llama3\", \"factor\": 8, \"high_freq_factor\": 4}` | `\"rope_parameters.low_freq_factor\" is missing`",
                "`\"partial_rotary_factor\": 0.5` | `\"partial_rotary_factor\" is not 1`",
                "`\"rope_parameters\": {\"partial_rotary_factor\": 0.5}` | `\"rope_parameters.partial_rotary_factor\" is not 1`",
                "`\"rope_parameters\": {\"rope_theta\": 1, \"full_attention\": {\"rope_theta\": 10000}}` | `\"rope_parameters.full_attention\" gives a rotary embedding per kind of layer`",
            })
    void namesWhatIsWrongOrNotSupported(String keys, String message) {
        refuses(keys, message);
    }

    private void refuses(String keys, String message) {
        assertThatThrownBy(() -> read(keys))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(folder.resolve("config.json").toString())
                .hasMessageContaining(message);
    }

    private RopeParameters read(String keys) throws IOException {
        String json = """
                {"model_type": "llama", "hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 4,
                 "num_attention_heads": 4, "vocab_size": 1024, "rms_norm_eps": 1e-05,
                 "max_position_embeddings": 2048, %s}""".formatted(keys);
        Files.writeString(folder.resolve("config.json"), json);
        return ModelConfig.read(folder).rope();
    }
}
