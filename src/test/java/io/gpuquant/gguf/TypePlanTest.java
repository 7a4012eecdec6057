package io.gpuquant.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gpuquant.InputException;
import io.gpuquant.UsageException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class TypePlanTest {

    private static JsonNode goldens() {
        try (InputStream in = TypePlanTest.class.getResourceAsStream("/goldens/gguf/demo-llama.json")) {
            return new ObjectMapper().readTree(Objects.requireNonNull(in));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    static Stream<String> files() {
        return goldens().propertyStream().map(Map.Entry::getKey);
    }

    /** What llama-quantize chose for each of 32 files of one model. */
    @ParameterizedTest
    @MethodSource("files")
    void choosesTheTypesOfLlamaQuantize(String file) {
        JsonNode expected = goldens().path(file).path("tensors");
        boolean importance = file.endsWith(" imatrix");
        FileType mix = FileType.named(file.replace(" imatrix", "")).orElseThrow();
        List<GgufLayout.Spec> tensors = sorted(expected);

        TypePlan plan = TypePlan.of(
                new TypePlan.Request(mix, false, List.of()), new MixModel(4, 2, 0, false, importance), tensors);

        Map<String, String> chosen = new TreeMap<>();
        plan.tensors().forEach(tensor -> chosen.put(tensor.name(), tensor.type().name()));
        Map<String, String> wanted = new TreeMap<>();
        expected.properties()
                .forEach(tensor -> wanted.put(
                        tensor.getKey(), tensor.getValue().path("type").textValue()));
        assertThat(chosen).isEqualTo(wanted);
        assertThat(plan.choices()).noneMatch(TypePlan.Choice::isFallback);
    }

    /** The order of the tensors in files that llama-quantize wrote. */
    @Test
    void ordersTensorsAsLlamaQuantize() {
        List<String> names = new ArrayList<>();
        goldens().path("Q4_0").path("tensors").fieldNames().forEachRemaining(names::add);

        assertThat(names).hasSizeGreaterThan(30).isSortedAccordingTo(TypePlan.FILE_ORDER);
    }

    private static List<GgufLayout.Spec> sorted(JsonNode tensors) {
        List<GgufLayout.Spec> specs = new ArrayList<>();
        tensors.properties().forEach(tensor -> {
            List<Long> extents = new ArrayList<>();
            tensor.getValue().path("shape").forEach(extent -> extents.add(extent.longValue()));
            specs.add(new GgufLayout.Spec(tensor.getKey(), extents.size() == 1 ? GgmlType.F32 : GgmlType.F16, extents));
        });
        specs.sort((a, b) -> TypePlan.FILE_ORDER.compare(a.name(), b.name()));
        return specs;
    }

    /** Bits per weight of Llama-3.1-8B that llama.cpp's documentation gives, made with an importance matrix where it helps. */
    @ParameterizedTest
    @CsvSource({
        "Q2_K_S, 2.9697", "Q2_K, 3.1593", "Q3_K_S, 3.6429", "Q3_K_M, 3.9960", "Q3_K_L, 4.2979", "Q4_K_S, 4.6672",
        "Q4_K_M, 4.8944", "Q5_K_S, 5.5704", "Q5_K_M, 5.7036", "Q6_K, 6.5633", "Q8_0, 8.5008", "F16, 16.0005",
        "IQ4_XS, 4.4597", "IQ4_NL, 4.6818"
    })
    void hasThePublishedBitsPerWeight(FileType mix, double published) {
        // The file types whose rules depend on an importance matrix were published with one, but for these two.
        boolean importance = mix != FileType.IQ4_XS && mix != FileType.IQ4_NL;

        TypePlan plan = TypePlan.of(
                new TypePlan.Request(mix, false, List.of()), new MixModel(32, 4, 0, false, importance), llama8B());

        assertThat(plan.bitsPerWeight()).isCloseTo(published, within(0.00051));
    }

    private static List<GgufLayout.Spec> llama8B() {
        List<GgufLayout.Spec> tensors = new ArrayList<>(List.of(
                matrix("output.weight", 4096, 128_256),
                vector("output_norm.weight", 4096),
                vector("rope_freqs.weight", 64),
                matrix("token_embd.weight", 4096, 128_256)));
        for (int layer = 0; layer < 32; layer++) {
            String prefix = "blk." + layer + ".";
            tensors.addAll(List.of(
                    matrix(prefix + "attn_k.weight", 4096, 1024),
                    vector(prefix + "attn_norm.weight", 4096),
                    matrix(prefix + "attn_output.weight", 4096, 4096),
                    matrix(prefix + "attn_q.weight", 4096, 4096),
                    matrix(prefix + "attn_v.weight", 4096, 1024),
                    matrix(prefix + "ffn_down.weight", 14336, 4096),
                    matrix(prefix + "ffn_gate.weight", 4096, 14336),
                    vector(prefix + "ffn_norm.weight", 4096),
                    matrix(prefix + "ffn_up.weight", 4096, 14336)));
        }
        return tensors;
    }

    private static GgufLayout.Spec matrix(String name, long in, long out) {
        return new GgufLayout.Spec(name, GgmlType.F16, List.of(in, out));
    }

    private static GgufLayout.Spec vector(String name, long length) {
        return new GgufLayout.Spec(name, GgmlType.F32, List.of(length));
    }

    private static String type(FileType mix, MixModel model, boolean pure, String... overrides) {
        // Qwen2.5-0.5B's width, which blocks of 256 do not divide.
        List<GgufLayout.Spec> tensors = List.of(
                matrix("token_embd.weight", 896, 151_936),
                matrix("blk.0.attn_q.weight", 896, 896),
                matrix("blk.0.attn_v.weight", 896, 128),
                matrix("blk.0.ffn_down.weight", 4864, 896),
                matrix("blk.0.ffn_gate_inp.weight", 896, 8));
        TypePlan plan = TypePlan.of(
                new TypePlan.Request(
                        mix,
                        pure,
                        Stream.of(overrides).map(TypePlan.TypeOverride::parse).toList()),
                model,
                tensors);
        return String.join(
                " ",
                plan.choices().stream()
                        .map(choice -> choice.tensor().type() + (choice.isFallback() ? "<" + choice.wanted() : ""))
                        .toList());
    }

    @Test
    void fallsBackWhereRowsDoNotFillBlocks() {
        MixModel model = new MixModel(24, 7, 0, true, true);

        assertThat(type(FileType.Q4_K_M, model, false)).isEqualTo("Q8_0<Q6_K Q5_0<Q4_K Q8_0<Q6_K Q6_K F16");
        assertThat(type(FileType.IQ4_XS, model, false)).isEqualTo("Q8_0<Q6_K IQ4_NL<IQ4_XS Q5_1<Q5_K IQ4_XS F16");
        assertThat(TypePlan.fitting(GgmlType.Q2_K, 96)).isEqualTo(GgmlType.Q4_0);
        assertThat(TypePlan.fitting(GgmlType.Q4_0, 100)).isEqualTo(GgmlType.F16);
        assertThat(TypePlan.fitting(GgmlType.Q6_K, 100)).isEqualTo(GgmlType.F16);
    }

    @Test
    void pureMeansOneTypeAndOverridesWinOverRules() {
        MixModel model = new MixModel(24, 7, 0, true, true);

        assertThat(type(FileType.Q8_0, model, true)).isEqualTo("Q8_0 Q8_0 Q8_0 Q8_0 F16");
        assertThat(type(FileType.Q4_0, model, true)).isEqualTo("Q4_0 Q4_0 Q4_0 Q4_0 F16");
        assertThat(type(FileType.Q4_0, model, false, "attn_[qk]=q8_0", "attn=F16"))
                .isEqualTo("Q8_0<Q6_K Q8_0 F16 Q4_1 F16");
        assertThat(type(FileType.BF16, model, false, "attn=Q8_0")).isEqualTo("BF16 BF16 BF16 BF16 F16");
    }

    @Test
    void experts() {
        MixModel mixtral = new MixModel(32, 4, 8, false, true);
        List<GgufLayout.Spec> tensors = List.of(
                matrix("output.weight", 4096, 32_000),
                matrix("blk.31.attn_k.weight", 4096, 1024),
                matrix("blk.31.attn_output.weight", 4096, 4096),
                matrix("blk.31.attn_v.weight", 4096, 1024),
                new GgufLayout.Spec("blk.31.ffn_down_exps.weight", GgmlType.F16, List.of(14336L, 4096L, 8L)),
                new GgufLayout.Spec("blk.31.ffn_up_exps.weight", GgmlType.F16, List.of(4096L, 14336L, 8L)));

        TypePlan plan = TypePlan.of(new TypePlan.Request(FileType.Q4_K_M, false, List.of()), mixtral, tensors);

        assertThat(plan.tensors())
                .extracting(GgufLayout.Spec::type)
                .containsExactly(
                        GgmlType.Q6_K, GgmlType.Q8_0, GgmlType.Q5_K, GgmlType.Q8_0, GgmlType.Q6_K, GgmlType.Q4_K);
    }

    @Test
    void refusesWhatCannotBeWrittenWell() {
        assertThatThrownBy(() -> type(FileType.Q2_K_S, new MixModel(24, 1, 0, true, false), true))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("--imatrix");
        for (String bad : List.of("ffn_down", "=Q6_K", "ffn_down=Q9", "(=Q6_K")) {
            assertThatThrownBy(() -> TypePlan.TypeOverride.parse(bad))
                    .isInstanceOf(UsageException.class)
                    .hasMessageContaining("--tensor-type " + bad);
        }
    }

    @Test
    void knowsMixesByNameAndNumber() {
        assertThat(FileType.named("q4_k")).contains(FileType.Q4_K_M);
        assertThat(FileType.named("Q3_k_s")).contains(FileType.Q3_K_S);
        assertThat(FileType.named("Q9")).isEmpty();
        assertThat(FileType.withId(15)).contains(FileType.Q4_K_M);
        assertThat(FileType.withId(99)).isEmpty();
        assertThat(FileType.names()).contains("IQ4_XS, BF16");
    }
}
