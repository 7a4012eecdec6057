package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.TextNode;
import io.gpuquant.gguf.FileType;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.gguf.GgufLayout;
import io.gpuquant.gguf.GgufValue;
import io.gpuquant.gguf.TypePlan;
import io.gpuquant.llamacpp.TensorRecipe;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every byte of every tensor is that of llama.cpp's converter and of {@code llama-quantize}. */
class GgufGoldenTest {

    private static final Path DEMO = Path.of("datasets/demo-llama");
    private static final String IMPORTANT = " imatrix";

    /** Tensors that other files have too are made once. */
    private static final Map<String, String> DIGESTS = new HashMap<>();

    private static JsonNode goldens = new ObjectMapper().createObjectNode();
    private static Checkpoint checkpoint;
    private static Importance importance;

    @BeforeAll
    static void open() {
        goldens = read();
        checkpoint = Checkpoint.open(DEMO);
        importance = Importance.read(Optional.of(Path.of("src/test/resources/goldens/gguf/demo-llama.imatrix.gguf")));
    }

    @AfterAll
    static void close() {
        checkpoint.close();
        DIGESTS.clear();
    }

    private static JsonNode read() {
        try (InputStream in = GgufGoldenTest.class.getResourceAsStream("/goldens/gguf/demo-llama.json")) {
            return new ObjectMapper().readTree(Objects.requireNonNull(in));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    static List<String> files() {
        return read().propertyStream().map(Map.Entry::getKey).toList();
    }

    @ParameterizedTest
    @MethodSource("files")
    void everyTensorIsThatOfLlamaQuantize(String file) {
        boolean important = file.endsWith(IMPORTANT);
        FileType mix = FileType.named(file.replace(IMPORTANT, "")).orElseThrow();
        Importance source = important ? importance : Importance.NONE;
        GgufPlan plan = GgufPreflight.plan(options(mix, Optional.empty()), checkpoint, config(), source);
        GgufTensorStep step = new GgufTensorStep(checkpoint, source, BlockQuantizer.onProcessor(2));

        JsonNode expected = goldens.path(file).path("tensors");
        List<GgufLayout.Spec> tensors = plan.types().tensors();
        assertThat(tensors).hasSize(expected.size());
        for (int i = 0; i < tensors.size(); i++) {
            GgufLayout.Spec tensor = tensors.get(i);
            JsonNode golden = expected.path(tensor.name());
            assertThat(tensor.type().name()).isEqualTo(golden.path("type").textValue());
            assertThat(tensor.extents().toString().replace(" ", ""))
                    .isEqualTo(golden.path("shape").toString());
            TensorRecipe recipe = plan.recipes().get(i);
            assertThat(DIGESTS.computeIfAbsent(
                            tensor.name() + tensor.type() + important, key -> digest(step, recipe, tensor.type())))
                    .as(file + ": " + tensor.name())
                    .isEqualTo(golden.path("sha256").textValue());
        }
        if (!important) {
            assertThat(plan.bytes()).isEqualTo(goldens.path(file).path("bytes").longValue());
        }
    }

    /** The name of the pre-tokenizer as it was given to the converter, and as it is recognised. */
    @ParameterizedTest
    @ValueSource(strings = {"gpt-2", ""})
    void metadataAreThoseOfTheConverter(String pre) {
        Map<String, GgufValue> entries = GgufPreflight.plan(
                        options(FileType.F16, Optional.of(pre).filter(name -> !name.isEmpty())),
                        checkpoint,
                        config(),
                        Importance.NONE)
                .files()
                .getFirst()
                .layout()
                .header()
                .metadata();

        JsonNode expected = goldens.path("F16").path("metadata");
        assertThat(entries.keySet())
                .containsExactlyInAnyOrderElementsOf(
                        expected.propertyStream().map(Map.Entry::getKey).toList());
        entries.forEach((key, value) -> assertThat(json(value)).as(key).isEqualTo(golden(expected.path(key))));
    }

    /** Slabs are cut where it makes no difference. */
    @Test
    void bytesDoNotDependOnTheSizeOfSlabs() {
        GgufPlan plan =
                GgufPreflight.plan(options(FileType.Q4_0, Optional.empty()), checkpoint, config(), Importance.NONE);
        BlockQuantizer whole = BlockQuantizer.onProcessor(1);
        GgufTensorStep step = new GgufTensorStep(checkpoint, Importance.NONE, new Narrow(whole));

        for (String name : List.of("blk.1.attn_q.weight", "blk.1.attn_k.weight", "blk.1.ffn_down.weight")) {
            TensorRecipe recipe = plan.recipes().stream()
                    .filter(candidate -> candidate.name().equals(name))
                    .findFirst()
                    .orElseThrow();
            assertThat(digest(step, recipe, GgmlType.Q4_0))
                    .isEqualTo(goldens.path("Q4_0")
                            .path("tensors")
                            .path(name)
                            .path("sha256")
                            .textValue());
        }
    }

    private record Narrow(BlockQuantizer whole) implements BlockQuantizer {

        @Override
        public int capacity(GgmlType type, int columns) {
            return 7 * columns + 1;
        }

        @Override
        public void quantize(
                GgmlType type,
                MemorySegment weights,
                DType dtype,
                int rows,
                int columns,
                float @Nullable [] importance,
                MemorySegment blocks) {
            assertThat(rows).isLessThanOrEqualTo(7);
            whole.quantize(type, weights, dtype, rows, columns, importance, blocks);
        }

        @Override
        public void close() {}
    }

    private static GgufOptions options(FileType mix, Optional<String> pre) {
        return new GgufOptions(
                DEMO,
                "demo-llama",
                Path.of("unused.gguf"),
                false,
                new TypePlan.Request(mix, false, List.of()),
                pre,
                Optional.empty(),
                Long.MAX_VALUE,
                false);
    }

    private static ModelConfig config() {
        return ModelConfig.read(DEMO);
    }

    private static String digest(GgufTensorStep step, TensorRecipe recipe, GgmlType type) {
        MessageDigest digest = sha256();
        step.make(recipe, type, (offset, bytes) -> digest.update(bytes.asByteBuffer()));
        return HexFormat.of().formatHex(digest.digest());
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException impossible) {
            throw new AssertionError(impossible);
        }
    }

    private static Object golden(JsonNode value) {
        if (value.isTextual()) {
            return value.textValue();
        }
        if (value.isBoolean()) {
            return value.booleanValue();
        }
        if (value.isObject()) {
            return value.path("length").intValue() + " " + value.path("sha256").textValue();
        }
        return value.doubleValue();
    }

    private static Object json(GgufValue value) {
        return switch (value) {
            case GgufValue.Text text -> text.value();
            case GgufValue.Flag flag -> flag.value();
            case GgufValue.Whole whole -> (double) whole.value();
            case GgufValue.Real real -> (double) (float) real.value();
            case GgufValue.Array array -> array.elements().size() + " " + digest(array);
        };
    }

    /** Of the array as Python writes it as JSON. */
    private static String digest(GgufValue.Array array) {
        String json = array.elements().stream()
                .map(element ->
                        element instanceof String text ? TextNode.valueOf(text).toString() : element.toString())
                .collect(Collectors.joining(", ", "[", "]"));
        return HexFormat.of().formatHex(sha256().digest(json.getBytes(StandardCharsets.UTF_8)));
    }
}
