package io.gpuquant.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gpuquant.tensor.DType;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ModelStructureTest {

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({"false, false, false", "true, false, false", "false, true, true"})
    void namesExactlyTheTensorsOfACheckpoint(boolean tied, boolean attentionBias, boolean mlpBias) {
        RandomModel model = RandomModel.of(
                RandomModel.config("{\"tie_word_embeddings\": %s, \"attention_bias\": %s, \"mlp_bias\": %s}"
                        .formatted(tied, attentionBias, mlpBias)),
                DType.F16,
                1);
        ModelStructure structure = structure(model);

        Stream<String> norms =
                structure.layers().stream().flatMap(layer -> Stream.of(layer.attentionNorm(), layer.mlpNorm()));
        Stream<String> weights = structure.linears().stream().map(LinearSpec::weightName);
        Stream<String> biases =
                structure.linears().stream().filter(LinearSpec::bias).map(LinearSpec::biasName);
        Stream<String> ends = Stream.of(structure.embedding(), structure.finalNorm(), structure.outputHead())
                .distinct();
        assertThat(Stream.of(norms, weights, biases, ends).flatMap(names -> names))
                .containsExactlyInAnyOrderElementsOf(
                        model.tensors().stream().map(tensor -> tensor.name()).toList());
        assertThat(structure.isTied()).isEqualTo(tied);
    }

    @Test
    void stacksTheLinearsThatShareAnInput() {
        ModelStructure structure = structure(RandomModel.of(RandomModel.config("{}"), DType.F16, 1));
        DecoderLayer layer = structure.layers().get(1);
        Stage attentionIn = layer.stage(Stage.Kind.ATTENTION_IN);

        assertThat(attentionIn.in()).isEqualTo(48);
        assertThat(attentionIn.out()).isEqualTo(48 + 24 + 24);
        assertThat(List.of(attentionIn.offset(0), attentionIn.offset(1), attentionIn.offset(2)))
                .containsExactly(0, 48, 72);
        assertThat(layer.stage(Stage.Kind.MLP_IN).out()).isEqualTo(160);
        assertThat(layer.stage(Stage.Kind.MLP_OUT).in()).isEqualTo(80);
        assertThat(layer.linears())
                .extracting(LinearSpec::nameInLayer)
                .containsExactly(
                        "self_attn.q_proj",
                        "self_attn.k_proj",
                        "self_attn.v_proj",
                        "self_attn.o_proj",
                        "mlp.gate_proj",
                        "mlp.up_proj",
                        "mlp.down_proj");
        assertThat(structure.leadingWeight()).isEqualTo("model.layers.0.self_attn.q_proj.weight");
    }

    @Test
    void keepsTheWholeNameOfALinearOutsideTheLayers() {
        assertThat(new LinearSpec("lm_head", 4, 8, false).nameInLayer()).isEqualTo("lm_head");
        assertThat(new LinearSpec("model.layers.12.mlp.experts.3.w1", 4, 8, false).nameInLayer())
                .isEqualTo("mlp.experts.3.w1");
    }

    @Test
    void refusesAStageOfDifferentInputs() {
        List<LinearSpec> linears = List.of(new LinearSpec("a", 4, 8, false), new LinearSpec("b", 5, 8, false));

        assertThatIllegalArgumentException().isThrownBy(() -> new Stage(Stage.Kind.MLP_IN, linears));
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1, 1, 1, 1",
        "3, 4096, 1, 3, 1",
        "3, 5000, 1, 3, 1",
        "10, 1000, 4, 3, 2",
        "10, 700, 4, 3, 2",
        "9, 1500, 2, 5, 1",
        "8, 2048, 2, 4, 2",
        "5, 7, 5, 1, 5"
    })
    void cutsSequencesIntoChunksOf4096Tokens(int sequences, int length, int perChunk, int chunks, int inLast) {
        Chunking chunking = Chunking.of(sequences, length);

        assertThat(chunking.perChunk()).isEqualTo(perChunk);
        assertThat(chunking.count()).isEqualTo(chunks);
        assertThat(chunking.sequences(chunks - 1)).isEqualTo(inLast);
        assertThat(chunking.firstSequence(chunks - 1) + inLast).isEqualTo(sequences);
        assertThat(chunking.mostTokens()).isEqualTo(perChunk * length);
        assertThat(chunking.totalTokens()).isEqualTo((long) sequences * length);
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1, 1", "3, 4096, 1, 3", "10, 1000, 2, 5", "11, 700, 2, 6", "5, 7, 5, 1", "128, 256, 8, 16"})
    void multipliesBlocksOf2048TokensWhateverTheChunks(int sequences, int length, int perBlock, int blocks) {
        for (Chunking chunking : Chunking.of(sequences, length).narrowing()) {
            assertThat(chunking.perBlock()).isEqualTo(perBlock);
            assertThat(chunking.blocks()).isEqualTo(blocks);
            assertThat(chunking.perChunk() % perBlock == 0 || chunking.count() == 1)
                    .isTrue();
            assertThat(chunking.firstBlock(chunking.count() - 1) * perBlock)
                    .isEqualTo(chunking.firstSequence(chunking.count() - 1));
        }
        Chunking least = Chunking.of(sequences, length).narrowing().getLast();
        assertThat(least.perChunk()).isEqualTo(perBlock);
        assertThat(least.scoreBytes()).isZero();
    }

    @Test
    void refusesToCutNothing() {
        assertThatIllegalArgumentException().isThrownBy(() -> new Chunking(9, 5, 2, 3, 0));
        assertThatIllegalArgumentException().isThrownBy(() -> new Chunking(0, 5, 1));
        assertThatIllegalArgumentException().isThrownBy(() -> new Chunking(5, 0, 1));
        assertThatIllegalArgumentException().isThrownBy(() -> new Chunking(5, 5, 0));
    }

    private ModelStructure structure(RandomModel model) {
        return ModelStructure.of(ModelConfig.read(model.write(folder)));
    }
}
