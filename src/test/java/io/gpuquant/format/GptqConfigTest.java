package io.gpuquant.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GptqConfigTest {

    private static final Path FILE = Path.of("config.json");
    private static final GptqScheme SCHEME = new GptqScheme(4, 128, true, false, GptqVersion.V1);

    private static GptqConfig.Details details(List<List<String>> modules) {
        return new GptqConfig.Details("gptq", 0.05, false, true, false, "gpuquant:1", modules, List.of());
    }

    @Test
    void writesWhatEveryLoaderNeeds() {
        ObjectNode config = GptqConfig.write(SCHEME, details(List.of()));

        assertThat(config.path("quant_method").asText()).isEqualTo("gptq");
        assertThat(config.path("bits").asInt()).isEqualTo(4);
        assertThat(config.path("group_size").asInt()).isEqualTo(128);
        assertThat(config.path("desc_act").isBoolean()).isTrue();
        assertThat(config.path("desc_act").asBoolean()).isFalse();
        assertThat(config.path("sym").asBoolean()).isTrue();
        assertThat(config.path("lm_head").asBoolean(true)).isFalse();
        assertThat(config.path("checkpoint_format").asText()).isEqualTo("gptq");
        assertThat(config.path("format").asText()).isEqualTo("gptq");
        assertThat(config.path("method").asText()).isEqualTo("gptq");
        assertThat(config.path("pack_dtype").asText()).isEqualTo("int32");
        assertThat(config.path("true_sequential").asBoolean()).isTrue();
        assertThat(config.path("meta").path("quantizer").path(0).asText()).isEqualTo("gpuquant:1");
        assertThat(config.has("modules_in_block_to_quantize")).isFalse();
    }

    @Test
    void namesTheQuantizedModulesWhereSomeAreNot() {
        ObjectNode config = GptqConfig.write(
                SCHEME, details(List.of(List.of("self_attn.q_proj", "self_attn.k_proj"), List.of("mlp.down_proj"))));

        assertThat(config.path("modules_in_block_to_quantize").toString())
                .isEqualTo("[[\"self_attn.q_proj\",\"self_attn.k_proj\"],[\"mlp.down_proj\"]]");
    }

    @Test
    void readsWhatItWrites() {
        for (GptqVersion version : GptqVersion.values()) {
            for (int bits : new int[] {2, 3, 4, 8}) {
                GptqScheme scheme = new GptqScheme(bits, -1, false, true, version);
                ObjectNode config = GptqConfig.write(scheme, details(List.of()));

                assertThat(GptqConfig.isGptq(config)).isTrue();
                assertThat(GptqConfig.read(config, FILE)).isEqualTo(scheme);
            }
        }
    }

    @Test
    void readsTheConfigurationsOfOtherTools() throws Exception {
        ObjectNode autoGptq = parse(
                "{\"bits\":4,\"group_size\":128,\"damp_percent\":0.01,\"desc_act\":true,\"sym\":true,\"quant_method\":\"gptq\"}");

        assertThat(GptqConfig.read(autoGptq, FILE)).isEqualTo(new GptqScheme(4, 128, true, true, GptqVersion.V1));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"group_size\":128}",
                "{\"bits\":\"four\",\"group_size\":128}",
                "{\"bits\":5,\"group_size\":128}",
                "{\"bits\":4,\"group_size\":0}",
                "{\"bits\":4,\"group_size\":128,\"checkpoint_format\":\"marlin\"}"
            })
    void refusesWhatNoCheckpointHas(String text) throws Exception {
        ObjectNode config = parse(text);

        assertThatThrownBy(() -> GptqConfig.read(config, FILE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("config.json");
    }

    @Test
    void doesNotTakeOtherMethodsForItsOwn() throws Exception {
        assertThat(GptqConfig.isGptq(parse("{\"quant_method\":\"awq\"}"))).isFalse();
    }

    private static ObjectNode parse(String text) throws Exception {
        return (ObjectNode) new ObjectMapper().readTree(text);
    }
}
