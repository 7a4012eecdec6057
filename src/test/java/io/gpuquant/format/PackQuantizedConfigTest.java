package io.gpuquant.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PackQuantizedConfigTest {

    private static final Path GOLDENS = Path.of("src/test/resources/goldens/formats");
    private static final Path FILE = Path.of("config.json");

    /** No key differs, nor its value: upstream's version of the layout is named too. */
    @ParameterizedTest
    @CsvSource({"ct_W4A16, true", "ct_W4A16_ASYM, false"})
    void saysWhatCompressedTensorsSays(String golden, boolean symmetric) throws IOException {
        JsonNode theirs = new ObjectMapper()
                .readTree(GOLDENS.resolve(golden).resolve("config.json").toFile())
                .path("quantization_config");

        ObjectNode ours = PackQuantizedConfig.write(new PackQuantizedScheme(4, 128, symmetric, DType.BF16), List.of());

        assertThat(ours).isEqualTo(theirs);
        assertThat(PackQuantizedConfig.isCompressedTensors((ObjectNode) theirs)).isTrue();
        assertThat(PackQuantizedConfig.read((ObjectNode) theirs, FILE))
                .isEqualTo(new PackQuantizedScheme(4, 128, symmetric, DType.BF16));
    }

    @Test
    void writesChannelsAndKeptModules() {
        PackQuantizedScheme scheme = new PackQuantizedScheme(8, -1, true, DType.BF16);
        ObjectNode config = PackQuantizedConfig.write(scheme, List.of("model.layers.0.mlp.gate"));

        JsonNode weights = config.at("/config_groups/group_0/weights");
        assertThat(weights.path("strategy").asText()).isEqualTo("channel");
        assertThat(weights.path("group_size").isNull()).isTrue();
        assertThat(config.path("ignore").toString()).isEqualTo("[\"model.layers.0.mlp.gate\",\"lm_head\"]");
        assertThat(PackQuantizedConfig.read(config, FILE)).isEqualTo(scheme);
    }

    @Test
    void knowsWhatLoadersLeaveAlone() {
        ObjectNode config = config();
        config.putArray("ignore")
                .add("model.layers.0.mlp.gate")
                .add("re:.*lm_head")
                .add("re:[");

        assertThat(PackQuantizedConfig.isIgnored(config, "model.layers.0.mlp.gate"))
                .isTrue();
        assertThat(PackQuantizedConfig.isIgnored(config, "model.layers.0.mlp.gate_proj"))
                .isFalse();
        assertThat(PackQuantizedConfig.isIgnored(config, "model.lm_head")).isTrue();
    }

    @Test
    void takesTheFormatFromTheTopWhereAGroupDoesNotSay() {
        ObjectNode config = config();
        ((ObjectNode) config.at("/config_groups/group_0")).remove("format");

        assertThat(PackQuantizedConfig.read(config, FILE).bits()).isEqualTo(4);
    }

    @Test
    void refusesWhatItCannotRead() {
        assertRefused(config -> group(config).put("format", "float-quantized"), "the format float-quantized");
        assertRefused(
                config -> group(config).putObject("input_activations").put("num_bits", 8), "quantized activations");
        assertRefused(config -> weights(config).put("actorder", "group"), "actorder group");
        assertRefused(config -> weights(config).put("strategy", "block"), "the strategy block");
        assertRefused(config -> weights(config).put("num_bits", 16), "16 bits");
        assertRefused(config -> weights(config).put("group_size", 0), "groups of 0");
        assertRefused(config -> weights(config).put("type", "float"), "the format");
        assertRefused(config -> ((ObjectNode) config.path("config_groups")).removeAll(), "0 kinds of weights");
        assertRefused(
                config -> {
                    ObjectNode other = group(config).deepCopy();
                    ((ObjectNode) other.path("weights")).put("num_bits", 8);
                    ((ObjectNode) config.path("config_groups")).set("group_1", other);
                },
                "2 kinds of weights");
        assertRefused(
                config -> ((ObjectNode) config.path("sparsity_config")).put("format", "sparse-24-bitmask"),
                "sparse weights");
        assertRefused(
                config -> ((ObjectNode) config.path("transform_config"))
                        .putObject("config_groups")
                        .putObject("R3"),
                "transforms");
    }

    private static ObjectNode config() {
        return PackQuantizedConfig.write(new PackQuantizedScheme(4, 128, true, DType.BF16), List.of());
    }

    private static ObjectNode group(ObjectNode config) {
        return (ObjectNode) config.at("/config_groups/group_0");
    }

    private static ObjectNode weights(ObjectNode config) {
        return (ObjectNode) config.at("/config_groups/group_0/weights");
    }

    private static void assertRefused(Consumer<ObjectNode> change, String message) {
        ObjectNode config = config();
        change.accept(config);
        assertThatThrownBy(() -> PackQuantizedConfig.read(config, FILE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("config.json")
                .hasMessageContaining(message);
    }
}
