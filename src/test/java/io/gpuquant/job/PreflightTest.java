package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.calibration.CalibrationOptions;
import io.gpuquant.format.AwqScheme;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.GptqVersion;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.CheckpointLayout;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.safetensors.TestCheckpoints;
import io.gpuquant.tensor.DType;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PreflightTest {

    @TempDir
    Path folder;

    private final TinyModel model = new TinyModel();

    private QuantizationJobOptions options(int bits, int groupSize, boolean symmetric, GptqVersion version) {
        return new QuantizationJobOptions(
                folder, folder.resolveSibling("made"), false, gptq(false, false), bits, groupSize, symmetric, version);
    }

    private QuantizationJobOptions usual() {
        return options(4, 128, true, GptqVersion.V1);
    }

    private static QuantizationJobOptions.Gptq gptq(boolean descAct, boolean staticGroups) {
        return new QuantizationJobOptions.Gptq(
                descAct,
                staticGroups,
                true,
                0.05,
                false,
                new QuantizationJobOptions.Calibration(null, new CalibrationOptions(32, 1, 0)));
    }

    private QuantizationJobOptions withMethod(int groupSize, QuantizationJobOptions.MethodOptions method) {
        return new QuantizationJobOptions(
                folder, folder.resolveSibling("made"), false, method, 4, groupSize, true, GptqVersion.V1);
    }

    private QuantizationPlan plan(QuantizationJobOptions options) {
        model.write(folder);
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            return Preflight.plan(
                    options, checkpoint, ModelConfig.read(folder), CheckpointLayout.DEFAULT_MAX_SHARD_BYTES);
        }
    }

    private List<String> warnings(QuantizationJobOptions options) {
        return plan(options).warnings();
    }

    private void shape(Consumer<ObjectNode> change) {
        model.config(change);
    }

    @Test
    void whatEveryEngineLoadsNeedsNoWarning() {
        QuantizationPlan plan = plan(usual());

        assertThat(plan.warnings()).isEmpty();
        assertThat(plan.decisions()).hasSize(14).allMatch(LinearDecision::quantized);
        assertThat(plan.quantizationConfig().has("modules_in_block_to_quantize"))
                .isFalse();
        assertThat(plan.modelType()).isEqualTo(DType.F16);
    }

    @Test
    void planHasTheSizesOfBothCheckpoints() {
        QuantizationPlan plan = plan(usual());

        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThat(plan.sourceBytes()).isEqualTo(checkpoint.totalBytes());
        }
        // Per layer 81920 weights of two bytes become half a byte each, with a scale, half a zero point, and g_idx.
        long weights = 2L * (4 * 128 * 128 + 128 * 128 + 2 * 64 * 128);
        long outputs = 2L * (5 * 128 + 2 * 64);
        long linears = 14;
        assertThat(plan.layout().totalBytes())
                .isEqualTo(plan.sourceBytes() - weights * 2 + weights / 2 + outputs * 5 / 2 + linears * 128 * 4);
    }

    @Test
    void linearsThatShareAnInputAreKeptTogether() {
        shape(config -> config.put("head_dim", 8).put("num_attention_heads", 4).put("num_key_value_heads", 2));

        QuantizationPlan plan = plan(options(4, 32, true, GptqVersion.V1));

        List<String> kept = plan.decisions().stream()
                .filter(decision -> !decision.quantized())
                .map(decision -> decision.linear().nameInLayer())
                .distinct()
                .toList();
        // Keys and values have 16 outputs each, which fill no words; queries could be packed, but engines fuse the
        // three.
        assertThat(kept).containsExactly("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj");
        assertThat(plan.warnings())
                .contains(
                        "model.layers.0.self_attn.q_proj and its like are kept as they are:"
                                + " model.layers.0.self_attn.k_proj has 128 to 16 features, and the format packs multiples of 32");
        assertThat(plan.quantizationConfig()
                        .path("modules_in_block_to_quantize")
                        .toString())
                .isEqualTo("[[\"self_attn.o_proj\"],[\"mlp.gate_proj\",\"mlp.up_proj\"],[\"mlp.down_proj\"]]");
        assertThat(plan.layout().contains("model.layers.0.self_attn.q_proj.weight"))
                .isTrue();
        assertThat(plan.layout().contains("model.layers.0.self_attn.o_proj.weight"))
                .isFalse();
    }

    @ParameterizedTest
    @CsvSource({"2, true", "3, true", "4, false", "8, false"})
    void vllmTakesFourAndEightSymmetricBits(int bits, boolean symmetric) {
        assertThat(warnings(options(bits, 128, symmetric, GptqVersion.V1)))
                .containsExactly("vLLM and SGLang load 4-bit and 8-bit symmetric checkpoints only; this one (" + bits
                        + "-bit, "
                        + (symmetric
                                ? "symmetric) loads in transformers and GPTQModel"
                                : "asymmetric) loads in transformers; GPTQModel takes asymmetric ones as --format gptq_v2"
                                        + " only"));
    }

    @Test
    void transformersDoesNotFindQuantizedExperts() {
        LinearSpec expert = new LinearSpec("model.layers.0.mlp.experts.0.up_proj", 128, 128, false);
        LinearSpec dense = new LinearSpec("model.layers.0.mlp.up_proj", 128, 128, false);
        AwqScheme awq = new AwqScheme(128, false, AwqVersion.GEMM);

        assertThat(LoaderNotes.of(awq, List.of(dense))).isEmpty();
        assertThat(LoaderNotes.of(awq, List.of(dense, expert)))
                .containsExactly("transformers 5 does not find quantized experts, warns, and computes with random ones;"
                        + " use vLLM or SGLang");
    }

    @Test
    void nothingIsSaidOfDampingWhereThereIsNone() {
        ObjectNode ofRounding =
                plan(withMethod(128, new QuantizationJobOptions.Rtn())).quantizationConfig();

        assertThat(ofRounding.has("damp_percent")).isFalse();
        assertThat(ofRounding.path("meta").has("damp_percent")).isFalse();
    }

    @Test
    void marlinTakesUsualGroups() {
        assertThat(warnings(options(4, 16, true, GptqVersion.V1)))
                .containsExactly(
                        "vLLM's fast kernels take --group-size 32, 64, 128 or -1; with 16 it falls back to slow"
                                + " ones or refuses");
        for (int usual : new int[] {32, 64, 128, -1}) {
            assertThat(choose(options(4, usual, true, GptqVersion.V1), written())
                            .warnings())
                    .isEmpty();
        }
    }

    @Test
    void marlinWorksInTiles() {
        shape(config -> config.put("intermediate_size", 96));

        assertThat(choose(options(4, 32, true, GptqVersion.V1), written()).warnings())
                .containsExactly(
                        "model.layers.0.mlp.gate_proj has 128 to 96 features, which vLLM pads because its kernels"
                                + " work in tiles of 128 by 64");
        assertThat(choose(withMethod(32, gptq(true, false)), written()).warnings())
                .containsExactly(
                        "model.layers.0.mlp.gate_proj has 128 to 96 features, which vLLM refuses with --desc-act"
                                + " because its kernels work in tiles of 128 by 64");
    }

    private ModelConfig written() {
        if (!folder.resolve("config.json").toFile().exists()) {
            model.write(folder);
        }
        return ModelConfig.read(folder);
    }

    @Test
    void secondVersionIsNotForEveryEngine() {
        assertThat(warnings(options(4, 128, true, GptqVersion.V2)))
                .containsExactly("the format gptq_v2 loads in GPTQModel and transformers; vLLM reads gptq");
    }

    /** Engines look at g_idx, and take slower kernels, only where they must. */
    @Test
    void actOrderIsSaidOnlyWhereGroupsAreNotConsecutive() {
        ModelConfig config = written();

        assertThat(descAct(withMethod(64, gptq(true, false)), config)).isTrue();
        assertThat(descAct(withMethod(64, gptq(true, true)), config)).isFalse();
        assertThat(descAct(withMethod(-1, gptq(true, false)), config)).isFalse();
        assertThat(descAct(withMethod(64, new QuantizationJobOptions.Rtn()), config))
                .isFalse();
    }

    private static boolean descAct(QuantizationJobOptions options, ModelConfig config) {
        return choose(options, config).scheme() instanceof GptqScheme scheme && scheme.descAct();
    }

    @Test
    void groupSizesThatFitAreNamed() {
        shape(config -> config.put("intermediate_size", 96));

        assertThatThrownBy(() -> choose(usual(), written()))
                .isInstanceOf(InputException.class)
                .hasMessage(
                        "--group-size 128 does not divide the 96 input features of model.layers.0.mlp.down_proj; use"
                                + " 32, -1 (one group per output)");
    }

    @Test
    void weightsMustBeOfATypeThatCanBeComputedWith() {
        model.write(folder);
        Path integers = folder.resolve("integers");
        TestCheckpoints.write(
                integers,
                model.tensors().stream()
                        .map(tensor -> tensor.name().equals("model.norm.weight")
                                ? TestCheckpoints.bytes(tensor.name(), DType.I8, tensor.shape(), new byte[128])
                                : tensor)
                        .toList());

        try (Checkpoint checkpoint = Checkpoint.open(integers)) {
            assertThatThrownBy(() -> Preflight.plan(usual(), checkpoint, ModelConfig.read(folder), Long.MAX_VALUE))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("model.norm.weight is of type I8; only F32, F16 and BF16");
        }
    }

    @Test
    void tensorsKeepTheirOrderAndTheOthersTheirTypes() {
        QuantizationPlan plan = plan(usual());

        List<String> names =
                plan.layout().tensors().stream().map(TensorInfo::name).toList();
        assertThat(names)
                .startsWith(
                        "lm_head.weight",
                        "model.layers.0.self_attn.rotary_emb.inv_freq",
                        "model.layers.0.mlp.down_proj.qweight",
                        "model.layers.0.mlp.down_proj.qzeros",
                        "model.layers.0.mlp.down_proj.scales",
                        "model.layers.0.mlp.down_proj.g_idx",
                        "model.layers.0.mlp.gate_proj.qweight")
                .endsWith("model.norm.weight", "model.embed_tokens.weight");
        assertThat(plan.layout()
                        .info("model.layers.0.self_attn.rotary_emb.inv_freq")
                        .dtype())
                .isEqualTo(DType.F32);
    }

    private static Preflight.Choices choose(QuantizationJobOptions options, ModelConfig config) {
        return Preflight.choose(options, config, structure -> DType.F16);
    }
}
