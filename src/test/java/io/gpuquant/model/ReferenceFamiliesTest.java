package io.gpuquant.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.TestCheckpoints;
import io.gpuquant.tensor.DType;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The forward pass of the families against a float64 one, over what checkpoints of one family differ in. */
class ReferenceFamiliesTest {

    private static final int LENGTH = 21;

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
    @ValueSource(
            strings = {
                "{\"model_type\": \"mistral\", \"sliding_window\": 5}",
                "{\"model_type\": \"mistral\", \"sliding_window\": null, \"head_dim\": 10}",
                "{\"model_type\": \"qwen2\", \"use_sliding_window\": false, \"sliding_window\": 4, \"max_window_layers\": 1}",
                "{\"model_type\": \"qwen2\", \"use_sliding_window\": true, \"sliding_window\": 4, \"max_window_layers\": 1}",
                """
                {"model_type": "qwen2", "use_sliding_window": true, "sliding_window": 3, "tie_word_embeddings": true,
                 "layer_types": ["sliding_attention", "full_attention"]}""",
                "{\"model_type\": \"qwen3\", \"head_dim\": 14}",
                "{\"model_type\": \"qwen3\", \"head_dim\": 34, \"attention_bias\": true, \"vocab_size\": 97}",
            })
    void computesMistralAndQwen(String config) {
        matchesTheReference(config);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"model_type\": \"gemma\", \"head_dim\": 20, \"num_key_value_heads\": 1}",
                "{\"model_type\": \"gemma\", \"head_dim\": 256, \"hidden_act\": \"gelu\", \"num_hidden_layers\": 1}",
                "{\"model_type\": \"gemma\", \"head_dim\": 12, \"tie_word_embeddings\": false, \"attention_bias\": true}",
                """
                {"model_type": "gemma2", "head_dim": 12, "sliding_window": 6, "query_pre_attn_scalar": 30,
                 "attn_logit_softcapping": 5.0, "final_logit_softcapping": 3.0, "num_hidden_layers": 3}""",
                """
                {"model_type": "gemma2", "head_dim": 12, "sliding_window": 6, "attn_logit_softcapping": null,
                 "final_logit_softcapping": null, "layer_types": ["full_attention", "sliding_attention"],
                 "hidden_activation": "gelu_pytorch_tanh"}""",
            })
    void computesGemma(String config) {
        matchesTheReference(config);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                """
                {"sliding_window": 6, "sliding_window_pattern": 2, "query_pre_attn_scalar": 20, "rope_theta": 5000.0,
                 "rope_local_base_freq": 100.0, "rope_scaling": {"factor": 8.0, "rope_type": "linear"}}""",
                """
                {"sliding_window": 4, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
                 "rope_parameters": {"full_attention": {"rope_theta": 3000.0, "rope_type": "linear", "factor": 4.0},
                 "sliding_attention": {"rope_theta": 50.0, "rope_type": "default"}}}""",
                "{\"sliding_window\": 4, \"attn_logit_softcapping\": 2.0, \"final_logit_softcapping\": 3.0}",
            })
    void computesGemma3(String config) {
        matchesTheReference(
                merged("{\"model_type\": \"gemma3_text\", \"head_dim\": 14, \"num_hidden_layers\": 3}", config));
    }

    /** The factor of the embedding is rounded to the type of the model. */
    @ParameterizedTest
    @EnumSource(names = {"F16", "BF16", "F32"})
    void scalesTheEmbeddingInTheTypeOfTheModel(DType dtype) {
        String name = dtype == DType.F16 ? "float16" : dtype == DType.BF16 ? "bfloat16" : "float32";
        RandomModel model = RandomModel.of(
                RandomModel.config("{\"model_type\": \"gemma\", \"head_dim\": 12, \"torch_dtype\": \"" + name + "\"}"),
                dtype,
                3);

        matchesTheReference(model, LENGTH);
    }

    /** Activations beyond the range of float16, as Gemma has them, pass through the residual stream. */
    @Test
    void keepsTheResidualStreamInFloat32() {
        RandomModel model =
                RandomModel.of(RandomModel.config("{\"model_type\": \"gemma\", \"head_dim\": 12}"), DType.F16, 4);
        for (String name : new String[] {"model.embed_tokens.weight", "model.layers.0.mlp.down_proj.weight"}) {
            double[] values = model.values(name);
            float[] large = new float[values.length];
            for (int i = 0; i < large.length; i++) {
                large[i] = (float) values[i] * 9000;
            }
            model = model.with(
                    name,
                    List.of(TestCheckpoints.tensor(
                            name, DType.F16, model.tensor(name).shape(), large)));
        }
        matchesTheReference(model, LENGTH);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"sliding_window\": 7}",
                "{\"num_key_value_heads\": 4, \"tie_word_embeddings\": true}",
                "{\"partial_rotary_factor\": 0.5, \"head_dim\": null}",
                "{\"head_dim\": 16, \"rope_parameters\": {\"partial_rotary_factor\": 0.75, \"rope_theta\": 500.0, \"rope_type\": \"default\"}}",
                // Of sequences no longer than the original context, and of longer ones.
                """
                {"rope_scaling": {"type": "su", "short_factor": [1.0, 1.1, 1.2, 1.3, 1.5, 2.0],
                 "long_factor": [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]}, "original_max_position_embeddings": 21}""",
                """
                {"rope_scaling": {"type": "longrope", "short_factor": [1.0, 1.1, 1.2, 1.3, 1.5, 2.0],
                 "long_factor": [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]}, "original_max_position_embeddings": 20}""",
                """
                {"partial_rotary_factor": 0.5, "rope_parameters": {"rope_type": "longrope", "rope_theta": 700.0,
                 "partial_rotary_factor": 0.5, "short_factor": [1.0, 1.1, 1.2], "long_factor": [2.0, 3.0, 4.0],
                 "attention_factor": 1.25, "original_max_position_embeddings": 16}}""",
            })
    void computesPhi3(String config) {
        matchesTheReference(merged("{\"model_type\": \"phi3\"}", config));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"model_type\": \"mixtral\", \"num_local_experts\": 5, \"num_experts_per_tok\": 2, \"sliding_window\": null}",
                "{\"model_type\": \"mixtral\", \"num_local_experts\": 3, \"num_experts_per_tok\": 3, \"sliding_window\": 4}",
                "{\"model_type\": \"mixtral\", \"num_local_experts\": 1, \"num_experts_per_tok\": 1}",
                """
                {"model_type": "qwen3_moe", "num_experts": 7, "num_experts_per_tok": 3, "moe_intermediate_size": 22,
                 "norm_topk_prob": true}""",
                """
                {"model_type": "qwen3_moe", "num_local_experts": 4, "num_experts_per_tok": 2, "head_dim": 10,
                 "moe_intermediate_size": 90, "norm_topk_prob": false, "decoder_sparse_step": 2, "num_hidden_layers": 4,
                 "mlp_only_layers": [1]}""",
            })
    void computesExperts(String config) {
        matchesTheReference(config);
    }

    /** A sequence to a chunk, or all in one: experts then see other numbers of rows at once. */
    @Test
    void doesNotDependOnChunksWhereThereAreExperts() {
        RandomModel model = RandomModel.of(
                RandomModel.config(
                        "{\"model_type\": \"mixtral\", \"num_local_experts\": 9, \"num_experts_per_tok\": 2}"),
                DType.BF16,
                7);

        Path written = model.write(folder);
        ModelStructure structure = ModelStructure.of(ModelConfig.read(written));
        int[][] sequences = model.sequences(3, LENGTH, 2);
        try (Checkpoint checkpoint = Checkpoint.open(written)) {
            WeightSource source = new CheckpointWeights(checkpoint, device);
            ForwardRun.Options options = ForwardRun.Options.DEFAULT;
            ForwardRun whole = ForwardRun.of(device, structure, source, options, sequences);
            ForwardRun cut = ForwardRun.of(device, structure, source, options.perChunk(2), sequences);
            assertThat(Deviation.relative(
                            cut.logits(), whole.logits(), structure.config().vocabSize()))
                    .isLessThan(Deviation.toleranceOfLogits(structure.config()));
            ReferenceMatch.require(device, model, written, sequences);
        }
    }

    private static String merged(String one, String other) {
        return one.substring(0, one.lastIndexOf('}')) + ", " + other.substring(other.indexOf('{') + 1);
    }

    private void matchesTheReference(String config) {
        matchesTheReference(RandomModel.of(RandomModel.config(config), DType.F16, config.hashCode()), LENGTH);
    }

    private void matchesTheReference(RandomModel model, int length) {
        ReferenceMatch.require(device, model, model.write(folder, 20_000), model.sequences(3, length, 2));
    }
}
