package io.gpuquant.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Shape;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointLayoutTest {

    private static final Map<String, String> PT = CheckpointLayout.DEFAULT_METADATA;

    @Test
    void repeatsTheHeaderOfTheDemoCheckpointByteForByte() throws Exception {
        // Written by transformers, so by the reference implementation.
        Path file = Path.of("datasets/demo-llama/model.safetensors");
        SafetensorsHeader header = SafetensorsHeader.read(file);
        List<TensorSpec> tensors = header.tensors().stream()
                .map(tensor -> new TensorSpec(tensor.name(), tensor.dtype(), tensor.shape()))
                .toList();

        CheckpointLayout layout = CheckpointLayout.of(tensors);

        byte[] original = Files.readAllBytes(file);
        assertThat(layout.shards()).hasSize(1);
        assertThat(layout.shards().getFirst().header()).isEqualTo(Arrays.copyOf(original, (int) header.dataStart()));
        assertThat(layout.fileBytes()).isEqualTo(original.length);
        assertThat(layout.tensors()).isEqualTo(header.tensors());
    }

    @Test
    void aSingleFileHasItsOwnNameAndNoIndex() {
        CheckpointLayout layout = CheckpointLayout.of(List.of(bytes("a", 5)));

        assertThat(fileNames(layout)).containsExactly("model.safetensors");
        assertThat(layout.indexText()).isEmpty();
    }

    @Test
    void theHeaderHasMetadataThenTensorsInOrderThenSpaces() {
        TensorSpec odd = new TensorSpec("ö\"", DType.U8, Shape.of(3, 1));
        TensorSpec scalar = new TensorSpec("b", DType.F64, Shape.of());
        Map<String, String> metadata = new LinkedHashMap<>();
        metadata.put("z", "1");
        metadata.put("a", "line\n");

        byte[] header = CheckpointLayout.of(List.of(odd, scalar), metadata, 100)
                .shards()
                .getFirst()
                .header();

        String json = """
                {"__metadata__":{"a":"line\\n","z":"1"},"ö\\"":{"dtype":"U8","shape":[3,1],"data_offsets":[0,3]},\
                "b":{"dtype":"F64","shape":[],"data_offsets":[3,11]}}""";
        assertThat(header.length % 8).isZero();
        assertThat(new String(header, 8, header.length - 8, StandardCharsets.UTF_8))
                .startsWith(json)
                .isEqualToIgnoringWhitespace(json);
        assertThat(header).startsWith(header.length - 8, 0, 0, 0, 0, 0, 0, 0).endsWith('}', '}', ' ', ' ', ' ');
    }

    @Test
    void noMetadataLeavesTheKeyOut() {
        byte[] header =
                CheckpointLayout.of(List.of(), Map.of(), 1).shards().getFirst().header();

        assertThat(header).isEqualTo("\u0008\0\0\0\0\0\0\0{}      ".getBytes(StandardCharsets.US_ASCII));
    }

    @Test
    void beginsAShardWhereTheNextTensorWouldGoPastTheLimit() {
        CheckpointLayout layout = CheckpointLayout.of(
                List.of(bytes("e", 4), bytes("d", 6), bytes("c", 1), bytes("b", 9), bytes("a", 10)), PT, 10);

        assertThat(names(layout)).containsExactly(List.of("e", "d"), List.of("c", "b"), List.of("a"));
        assertThat(fileNames(layout))
                .containsExactly(
                        "model-00001-of-00003.safetensors",
                        "model-00002-of-00003.safetensors",
                        "model-00003-of-00003.safetensors");
        assertThat(layout.info("d").offset()).isEqualTo(4);
        assertThat(layout.info("c").offset()).isZero();
        assertThat(layout.shardOf("b").fileName()).isEqualTo("model-00002-of-00003.safetensors");
        assertThat(layout.totalBytes()).isEqualTo(30);
    }

    @Test
    void aTensorBeyondTheLimitGetsAShardOfItsOwn() {
        CheckpointLayout layout = CheckpointLayout.of(
                List.of(bytes("a", 4), bytes("large", 11), bytes("b", 4), bytes("none", 0), bytes("c", 4)), PT, 10);

        assertThat(names(layout)).containsExactly(List.of("a"), List.of("large"), List.of("b", "none", "c"));
    }

    @Test
    void aTensorOfNoBytesBeginsNoShard() {
        CheckpointLayout layout = CheckpointLayout.of(List.of(bytes("large", 11), bytes("none", 0)), PT, 10);

        assertThat(names(layout)).containsExactly(List.of("large", "none"));
    }

    @Test
    void splitsAtFiveGigabytesUnlessToldOtherwise() {
        CheckpointLayout layout =
                CheckpointLayout.of(List.of(bytes("a", 3_000_000_000L), bytes("b", 2_000_000_000L), bytes("c", 1)));

        assertThat(names(layout)).containsExactly(List.of("a", "b"), List.of("c"));
    }

    @Test
    void theIndexIsThatOfHuggingFaceLibraries() {
        CheckpointLayout layout =
                CheckpointLayout.of(List.of(bytes("b.10", 4), bytes("b.2", 6), bytes("a\"", 5)), PT, 10);

        // json.dumps({"metadata": {"total_size": 15}, "weight_map": …}, indent=2, sort_keys=True) + "\n"
        assertThat(layout.indexText()).hasValue("""
                {
                  "metadata": {
                    "total_size": 15
                  },
                  "weight_map": {
                    "a\\"": "model-00002-of-00002.safetensors",
                    "b.10": "model-00001-of-00002.safetensors",
                    "b.2": "model-00001-of-00002.safetensors"
                  }
                }
                """);
    }

    @Test
    void equalPlansHaveEqualBytesWhateverTheOrderOfTheMetadata() {
        Map<String, String> one = new LinkedHashMap<>();
        Map<String, String> other = new LinkedHashMap<>();
        for (int i = 0; i < 20; i++) {
            one.put("key" + i, "v");
            other.put("key" + (19 - i), "v");
        }
        List<TensorSpec> tensors = List.of(bytes("b", 9), bytes("a", 9));

        CheckpointLayout first = CheckpointLayout.of(tensors, one, 10);
        CheckpointLayout second = CheckpointLayout.of(tensors, other, 10);

        assertThat(first.indexText()).isEqualTo(second.indexText());
        for (int i = 0; i < 2; i++) {
            assertThat(first.shards().get(i).header())
                    .isEqualTo(second.shards().get(i).header());
        }
    }

    @Test
    void knowsItsTensorsOnly() {
        CheckpointLayout layout = CheckpointLayout.of(List.of(bytes("a", 5)));

        assertThat(layout.contains("a")).isTrue();
        assertThat(layout.contains("b")).isFalse();
        assertThatThrownBy(() -> layout.info("b"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("'b'");
        assertThatThrownBy(() -> layout.shardOf("b")).isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"__metadata__", "half\ud834"})
    void refusesNamesThatNoReaderWouldTake(String name) {
        assertRefused(List.of(bytes(name, 1)), PT, 10, "not a name");
    }

    @Test
    void refusesPlansThatMakeNoCheckpoint() {
        assertRefused(List.of(bytes("a", 1), bytes("a", 2)), PT, 10, "two tensors are called 'a'");
        assertRefused(List.of(bytes("a", 1)), PT, 0, "at most 0 bytes");
        assertRefused(List.of(bytes("a", 1)), Map.of("k\ud834", "v"), 10, "not valid Unicode");
        assertRefused(List.of(bytes("a", 1)), Map.of("k", "v\ud834"), 10, "not valid Unicode");
        assertRefused(List.of(new TensorSpec("a", DType.F4, Shape.of(3))), PT, 10, "F4[3]");
        assertRefused(List.of(new TensorSpec("a", DType.F4, Shape.of(1L << 40, 1L << 40))), PT, 10, "no byte size");
    }

    @Test
    void refusesAHeaderThatNoReaderAccepts() {
        String long50MegaBytes = "x".repeat(50_000_000);
        assertRefused(List.of(), Map.of("a", long50MegaBytes, "b", long50MegaBytes), 10, "which no reader accepts");
    }

    private static void assertRefused(
            List<TensorSpec> tensors, Map<String, String> metadata, long maxShardBytes, String says) {
        List<TensorSpec> copy = new ArrayList<>(tensors);
        assertThatThrownBy(() -> CheckpointLayout.of(copy, metadata, maxShardBytes))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(says);
    }

    private static TensorSpec bytes(String name, long count) {
        return new TensorSpec(name, DType.U8, Shape.of(count));
    }

    private static List<String> fileNames(CheckpointLayout layout) {
        return layout.shards().stream().map(ShardLayout::fileName).toList();
    }

    private static List<List<String>> names(CheckpointLayout layout) {
        return layout.shards().stream()
                .map(shard -> shard.tensors().stream().map(TensorInfo::name).toList())
                .toList();
    }
}
