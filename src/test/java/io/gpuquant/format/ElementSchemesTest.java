package io.gpuquant.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.tensor.BFloat16;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ElementSchemesTest {

    private static final Path GOLDENS = Path.of("src/test/resources/goldens/formats");
    private static final Path FILE = Path.of("config.json");

    private static ObjectNode object(String json) throws JsonProcessingException {
        return (ObjectNode) new ObjectMapper().readTree(json);
    }

    private static ObjectNode config(String golden) throws IOException {
        return (ObjectNode) new ObjectMapper()
                .readTree(GOLDENS.resolve(golden).resolve("config.json").toFile())
                .path("quantization_config");
    }

    @ParameterizedTest
    @EnumSource
    void presetsAreReadAsTheyAreWritten(CompressedPreset preset) {
        CompressedScheme scheme = new CompressedScheme(preset, DType.BF16);
        ObjectNode config = CompressedConfig.write(scheme, List.of("lm_head"));
        assertThat(ElementConfig.read(config, FILE, DType.BF16)).contains(scheme);
    }

    @Test
    void otherFormatsAreLeftToOthers() throws IOException {
        assertThat(ElementConfig.read(object("{\"quant_method\": \"gptq\", \"bits\": 4}"), FILE, DType.BF16))
                .isEmpty();
        ObjectNode integers = config("ct_W8A8");
        integers.put("format", "pack-quantized");
        ((ObjectNode) integers.path("config_groups").path("group_0")).put("format", "pack-quantized");
        assertThat(ElementConfig.read(integers, FILE, DType.BF16)).isEmpty();
        ObjectNode block = config("ct_FP8_BLOCK");
        ((ObjectNode) block.path("config_groups").path("group_0").path("weights"))
                .putArray("block_structure")
                .add(64)
                .add(64);
        assertThat(ElementConfig.read(block, FILE, DType.BF16)).isEmpty();
    }

    @Test
    void fp8WithoutBlocksIsRefusedInASentence() {
        assertThatThrownBy(() -> ElementConfig.read(
                        object("{\"quant_method\": \"fp8\", \"activation_scheme\": \"static\"}"), FILE, DType.BF16))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("weight_block_size");
    }

    /** Numbers are written as Python writes them. */
    @ParameterizedTest
    @CsvSource({
        "0.05203819274902344, 0.05203819274902344",
        "9.765625E-4, 0.0009765625",
        "3.0517578125E-5, 3.0517578125e-05",
        "0.5, 0.5",
        "0, 0.0"
    })
    void offsetsHaveTheDigitsOfPython(float offset, String text) {
        BnbScheme scheme = new BnbScheme(BnbType.NF4, true, DType.F16, Map.of("a", offset));
        String json = new String(scheme.state("a", 64, 32), StandardCharsets.UTF_8);
        assertThat(json)
                .isEqualTo("{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"float16\", \"shape\": [32, 64],"
                        + " \"nested_blocksize\": 256, \"nested_dtype\": \"float32\", \"nested_offset\": " + text
                        + "}");
    }

    @ParameterizedTest
    @ValueSource(strings = {"hf_fp8_block128", "ct_FP8", "ct_FP8_DYNAMIC", "ct_FP8_BLOCK"})
    void fp8CheckpointsAreSeenAsTheyWere(String golden) throws IOException {
        String module = "model.layers.0.mlp.gate_proj";
        try (Checkpoint restored = SourceCheckpoint.open(
                        GOLDENS.resolve(golden), Optional.of(config(golden)), Optional.of(DType.BF16));
                Checkpoint stored = Checkpoint.open(GOLDENS.resolve(golden));
                Checkpoint base = Checkpoint.open(GOLDENS.resolve("base_bf16"))) {
            assertThat(restored.tensors().stream().map(TensorInfo::name))
                    .containsExactlyInAnyOrderElementsOf(
                            base.tensors().stream().map(TensorInfo::name).toList());
            for (TensorInfo info : base.tensors()) {
                assertThat(restored.info(info.name()).dtype()).isEqualTo(DType.BF16);
                assertThat(restored.info(info.name()).shape()).isEqualTo(info.shape());
            }
            assertThat(restored.tensor("lm_head.weight")
                            .data()
                            .mismatch(base.tensor("lm_head.weight").data()))
                    .isEqualTo(-1);
            HostTensor weight = restored.tensor(module + ".weight");
            ElementScheme scheme =
                    ElementConfig.read(config(golden), FILE, DType.BF16).orElseThrow();
            ElementLinear linear = scheme.read(name -> stored.find(name).map(info -> stored.tensor(name)), module);
            for (int i = 0; i < linear.in() * linear.out(); i += 7) {
                float expected = linear.weight(i / linear.in(), i % linear.in());
                assertThat(Elements.floatAt(weight.data(), DType.BF16, i))
                        .isEqualTo(BFloat16.toFloat(BFloat16.fromFloat(expected)));
            }
        }
    }

    @Test
    void onlyFp8IsSeenAsItWas() throws IOException {
        assertThat(SourceCheckpoint.canRestore(config("ct_FP8_DYNAMIC"), GOLDENS))
                .isTrue();
        assertThat(SourceCheckpoint.canRestore(config("ct_W8A8"), GOLDENS)).isFalse();
        assertThat(SourceCheckpoint.canRestore(config("bnb_nf4"), GOLDENS)).isFalse();
        assertThat(SourceCheckpoint.canRestore(config("ct_NVFP4"), GOLDENS)).isFalse();
    }

    @Test
    void partsThatDoNotFitAreRefused() throws IOException {
        try (Checkpoint stored = Checkpoint.open(GOLDENS.resolve("ct_FP8_BLOCK"))) {
            TensorReader whole = name -> stored.find(name).map(info -> stored.tensor(name));
            String module = "model.layers.0.mlp.gate_proj";
            CompressedScheme channels = new CompressedScheme(CompressedPreset.FP8_DYNAMIC, DType.BF16);
            assertThatThrownBy(() -> channels.read(whole, module))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining(module + ".weight_scale")
                    .hasMessageContaining("512 scales");
            TensorReader without = name -> name.endsWith("scale") ? Optional.empty() : whole.find(name);
            assertThatThrownBy(() -> new CompressedScheme(CompressedPreset.FP8_BLOCK, DType.BF16).read(without, module))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("has no tensor " + module + ".weight_scale");
        }
    }
}
