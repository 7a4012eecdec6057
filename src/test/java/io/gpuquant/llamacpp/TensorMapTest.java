package io.gpuquant.llamacpp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.InputException;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.gguf.TypePlan;
import io.gpuquant.llamacpp.TensorRecipe.Content;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which tensors of a checkpoint become which of a GGUF file. Names are those of llama.cpp's converter. */
class TensorMapTest {

    private static final Path GOLDENS = Path.of("src/test/resources/goldens/models");

    private static List<TensorRecipe> map(String golden) {
        try (Checkpoint checkpoint = Checkpoint.open(GOLDENS.resolve(golden))) {
            return TensorMap.of(ModelConfig.read(GOLDENS.resolve(golden)), checkpoint.tensors());
        }
    }

    private static TensorRecipe recipe(String golden, String name) {
        return map(golden).stream()
                .filter(recipe -> recipe.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    /** Names within the first layer, sorted. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            llama | attn_k attn_norm attn_output attn_q attn_v ffn_down ffn_gate ffn_norm ffn_up
            mistral | attn_k attn_norm attn_output attn_q attn_v ffn_down ffn_gate ffn_norm ffn_up
            qwen2 | attn_k.bias attn_k attn_norm attn_output attn_q.bias attn_q attn_v.bias attn_v ffn_down ffn_gate ffn_norm ffn_up
            qwen3 | attn_k attn_k_norm attn_norm attn_output attn_q attn_q_norm attn_v ffn_down ffn_gate ffn_norm ffn_up
            gemma | attn_k attn_norm attn_output attn_q attn_v ffn_down ffn_gate ffn_norm ffn_up
            gemma2 | attn_k attn_norm attn_output attn_q attn_v ffn_down ffn_gate ffn_norm ffn_up post_attention_norm post_ffw_norm
            gemma3 | attn_k attn_k_norm attn_norm attn_output attn_q attn_q_norm attn_v ffn_down ffn_gate ffn_norm ffn_up post_attention_norm post_ffw_norm
            phi3 | attn_norm attn_output attn_qkv ffn_down ffn_norm ffn_up
            mixtral | attn_k attn_norm attn_output attn_q attn_v ffn_down_exps ffn_gate_exps ffn_gate_inp ffn_norm ffn_up_exps
            qwen3-moe | attn_k attn_k_norm attn_norm attn_output attn_q attn_q_norm attn_v ffn_down_exps ffn_gate_exps ffn_gate_inp ffn_norm ffn_up_exps
            """)
    void layersHaveTheNamesOfLlamaCpp(String golden, String names) {
        List<String> found = map(golden).stream()
                .map(TensorRecipe::name)
                .filter(name -> name.startsWith("blk.0."))
                .map(name -> name.substring("blk.0.".length()).replace(".weight", ""))
                .toList();

        assertThat(found).containsExactly(names.split(" "));
    }

    /** All that a checkpoint has is in the file, once, in the order of llama.cpp. */
    @ParameterizedTest
    @CsvSource({
        "llama",
        "llama3-rope",
        "mistral",
        "qwen2",
        "qwen3",
        "gemma",
        "gemma2",
        "gemma3",
        "phi3",
        "mixtral",
        "qwen3-moe"
    })
    void everyTensorHasAPlace(String golden) {
        try (Checkpoint checkpoint = Checkpoint.open(GOLDENS.resolve(golden))) {
            List<TensorRecipe> recipes = map(golden);

            List<String> used = new ArrayList<>();
            recipes.forEach(recipe -> used.addAll(recipe.sources()));
            assertThat(used)
                    .containsExactlyInAnyOrderElementsOf(
                            checkpoint.tensors().stream().map(TensorInfo::name).toList());
            assertThat(recipes.stream().map(TensorRecipe::name).toList()).isSortedAccordingTo(TypePlan.FILE_ORDER);
            long weights = recipes.stream()
                    .filter(recipe -> !(recipe.content() instanceof Content.Computed))
                    .mapToLong(recipe -> recipe.extents().stream().reduce(1L, (a, b) -> a * b))
                    .sum();
            assertThat(weights)
                    .isEqualTo(checkpoint.tensors().stream()
                            .mapToLong(tensor -> tensor.shape().elementCount())
                            .sum());
        }
    }

    /** Q and K of Llama as {@code W.reshape(H, 2, d/2, in).swapaxes(1, 2)}; of Qwen as they are. */
    @Test
    void headsOfLlamaArePermuted() {
        try (Checkpoint checkpoint = Checkpoint.open(GOLDENS.resolve("llama"));
                Arena arena = Arena.ofConfined()) {
            for (String part : List.of("q", "k")) {
                int heads = part.equals("q") ? 4 : 2;
                TensorRecipe recipe = recipe("llama", "blk.1.attn_" + part + ".weight");
                TensorRows rows = new TensorRows(checkpoint, recipe);
                HostTensor source = checkpoint.tensor("model.layers.1.self_attn." + part + "_proj.weight");
                float[] weights = Elements.toFloats(source);
                int columns = 128;
                int half = 16;
                List<Float> expected = new ArrayList<>();
                for (int head = 0; head < heads; head++) {
                    for (int pair = 0; pair < half; pair++) {
                        for (int side = 0; side < 2; side++) {
                            int row = (head * 2 + side) * half + pair;
                            for (int i = 0; i < columns; i++) {
                                expected.add(weights[row * columns + i]);
                            }
                        }
                    }
                }
                assertThat(floats(rows, 0, rows.rows(), arena)).isEqualTo(expected);
                assertThat(floats(rows, 37, 11, arena)).isEqualTo(expected.subList(37 * columns, 48 * columns));
            }
        }
        assertThat(recipe("qwen3", "blk.0.attn_q.weight").content()).isInstanceOf(Content.Copy.class);
        assertThat(recipe("gemma", "blk.0.attn_k.weight").content()).isInstanceOf(Content.Copy.class);
        assertThat(recipe("llama", "blk.0.attn_v.weight").content()).isInstanceOf(Content.Copy.class);
    }

    @Test
    void permutationsAreUndone() {
        Content.PermutedHeads permuted = new Content.PermutedHeads("w", 3);
        for (int row = 0; row < 30; row++) {
            assertThat(permuted.sourceRow(permuted.fileRow(row, 30), 30)).isEqualTo(row);
        }
    }

    private static List<Float> floats(TensorRows rows, int first, int count, Arena arena) {
        MemorySegment data = rows.read(0, first, count, arena);
        List<Float> values = new ArrayList<>();
        for (long i = 0; i < (long) count * rows.columns(); i++) {
            values.add(Elements.floatAt(data, rows.dtype(), i));
        }
        return values;
    }

    @Test
    void normsOfGemmaAreOneMore() {
        try (Checkpoint checkpoint = Checkpoint.open(GOLDENS.resolve("gemma3"));
                Arena arena = Arena.ofConfined()) {
            for (String name :
                    List.of("blk.0.attn_q_norm.weight", "blk.3.post_ffw_norm.weight", "output_norm.weight")) {
                TensorRecipe recipe = recipe("gemma3", name);
                assertThat(recipe.kept()).isEqualTo(GgmlType.F32);
                TensorRows rows = new TensorRows(checkpoint, recipe);
                float[] source =
                        Elements.toFloats(checkpoint.tensor(recipe.sources().getFirst()));
                List<Float> stored = floats(rows, 0, 1, arena);
                for (int i = 0; i < source.length; i++) {
                    assertThat(stored.get(i)).isEqualTo(source[i] + 1);
                }
            }
        }
    }

    @Test
    void expertsAreStacked() {
        TensorRecipe mixtral = recipe("mixtral", "blk.1.ffn_down_exps.weight");
        assertThat(mixtral.extents())
                .containsExactly(256L, 128L, (long) mixtral.sources().size());
        assertThat(mixtral.sources().get(2)).isEqualTo("model.layers.1.block_sparse_moe.experts.2.w2.weight");
        TensorRecipe qwen = recipe("qwen3-moe", "blk.0.ffn_gate_exps.weight");
        assertThat(qwen.sources().get(1)).isEqualTo("model.layers.0.mlp.experts.1.gate_proj.weight");
        assertThat(recipe("qwen3-moe", "blk.0.ffn_gate_inp.weight").kept()).isEqualTo(GgmlType.F32);
        try (Checkpoint checkpoint = Checkpoint.open(GOLDENS.resolve("mixtral"));
                Arena arena = Arena.ofConfined()) {
            TensorRows rows = new TensorRows(checkpoint, mixtral);
            HostTensor third = checkpoint.tensor(mixtral.sources().get(2));
            assertThat(rows.matrices()).isEqualTo(mixtral.sources().size());
            assertThat(rows.read(2, 3, 5, arena).mismatch(third.data().asSlice(3 * 256 * 2, 5 * 256 * 2)))
                    .isEqualTo(-1);
        }
    }

    @Test
    void tiedHeadsAreLeftOut() {
        assertThat(map("qwen2"))
                .extracting(TensorRecipe::name)
                .contains("token_embd.weight")
                .doesNotContain("output.weight");
        assertThat(map("llama")).extracting(TensorRecipe::name).contains("output.weight");
    }

    @Test
    void importanceIsKnownByTheNameOfTheWeight() {
        ModelConfig mixtral = ModelConfig.read(GOLDENS.resolve("mixtral"));
        assertThat(TensorMap.weightName(mixtral, "model.layers.1.block_sparse_moe.experts.3.w1"))
                .contains("blk.1.ffn_gate_exps.weight");
        assertThat(TensorMap.weightName(mixtral, "model.layers.0.self_attn.o_proj"))
                .contains("blk.0.attn_output.weight");
        assertThat(TensorMap.weightName(mixtral, "model.layers.0.unheard_of")).isEmpty();
    }

    @Test
    void tensorsWithoutAPlaceAreNamed() {
        ModelConfig config = ModelConfig.read(GOLDENS.resolve("llama"));
        assertThatThrownBy(() -> TensorMap.of(
                        config,
                        List.of(new TensorInfo("model.layers.0.self_attn.sinks", DType.F16, Shape.of(4), 0, 8))))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("model.layers.0.self_attn.sinks");
        assertThatThrownBy(() -> TensorMap.of(
                        config,
                        List.of(new TensorInfo(
                                "model.layers.0.block_sparse_moe.experts.1.w1.weight",
                                DType.F16,
                                Shape.of(4, 4),
                                0,
                                32))))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("not numbered from 0");
    }
}
