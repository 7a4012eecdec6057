package io.gpuquant.safetensors;

import static io.gpuquant.safetensors.RawFiles.assertRefused;

import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Shape;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class HostileIndexTest {

    private static final String SHARD = "model-00001-of-00002.safetensors";

    @TempDir
    Path directory;

    private Path index;

    private static HostileCase index(String name, String json, String... says) {
        return HostileCase.of(name, json, 0, says);
    }

    static List<HostileCase> indexes() {
        return List.of(
                index("empty", "", "no JSON value"),
                index("not JSON", "weight_map: {}", "not valid JSON"),
                index("unfinished", "{\"weight_map\":{\"a\":\"" + SHARD + "\"", "not valid JSON"),
                index("goes on", "{\"weight_map\":{\"a\":\"" + SHARD + "\"}} {}", "goes on"),
                index("array", "[]", "an array where an object is expected"),
                index("no weight map", "{\"metadata\":{}}", "no weight_map"),
                index("empty weight map", "{\"weight_map\":{}}", "weight_map is empty"),
                index("weight map is a list", "{\"weight_map\":[\"a\"]}", "weight_map is an array"),
                index("weight map twice", "{\"weight_map\":{},\"weight_map\":{}}", "'weight_map' twice"),
                index("shard is a number", "{\"weight_map\":{\"a\":1}}", "tensor 'a'", "a string is expected"),
                index("shard is a list", "{\"weight_map\":{\"a\":[]}}", "tensor 'a'", "a string is expected"),
                index("tensor twice", "{\"weight_map\":{\"a\":\"x\",\"a\":\"y\"}}", "'a' twice"),
                index("deep nesting", "{\"metadata\":" + "[".repeat(100_000), "too long"),
                index("tensor not there", map("gone", SHARD), "tensor 'gone'", SHARD, "does not hold it"),
                index("shard not there", map("a", "lost.safetensors"), "'lost.safetensors'", "tensor 'a'"));
    }

    @BeforeEach
    void writeShards() {
        TestCheckpoints.write(
                directory,
                List.of(
                        TestCheckpoints.tensor("a", DType.F32, Shape.of(1), 1),
                        TestCheckpoints.tensor("b", DType.F32, Shape.of(1), 2)),
                4);
        index = directory.resolve("model.safetensors.index.json");
    }

    @ParameterizedTest
    @MethodSource("indexes")
    void isRefusedWithFileAndTensor(HostileCase hostile) throws Exception {
        Files.writeString(index, hostile.text());

        assertRefused(() -> Checkpoint.open(directory), index.toString());
        assertRefused(() -> Checkpoint.open(directory), hostile.parts());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../x.safetensors",
                "/etc/passwd",
                "sub/x.safetensors",
                "..",
                ".",
                "",
                "..\\\\x.safetensors",
                "C:x.safetensors",
                "x\\u0000.safetensors",
                "x\\n.safetensors",
                ".hidden"
            })
    void refusesAShardThatIsNotAFileOfTheFolder(String name) throws Exception {
        Files.writeString(index, map("a", name));

        assertRefused(
                () -> Checkpoint.open(directory),
                index.toString(),
                "tensor 'a'",
                "not the name of a file in the same folder");
    }

    @Test
    void refusesAShardNameThatIsTooLongForAFile() throws Exception {
        Files.writeString(index, map("a", "x".repeat(256)));

        assertRefused(() -> Checkpoint.open(directory), index.toString(), "tensor 'a'", "not the name of a file");
    }

    @Test
    void refusesATensorThatIsInAnotherShardThanTheIndexSays() throws Exception {
        Files.writeString(index, """
                {"weight_map":{"b":"%s","a":"model-00002-of-00002.safetensors"}}""".formatted(SHARD));

        assertRefused(() -> Checkpoint.open(directory), index.toString(), "tensor 'b'", SHARD, "does not hold it");
    }

    @Test
    void refusesADamagedShardByItsOwnName() throws Exception {
        Path shard = directory.resolve(SHARD);
        Files.write(shard, new byte[] {1, 2, 3});

        assertRefused(() -> Checkpoint.open(directory), shard.toString(), "3 bytes");
    }

    @Test
    void refusesInvalidUtf8() throws Exception {
        Files.write(index, new byte[] {'{', '"', (byte) 0xff, '"', ':', '0', '}'});

        assertRefused(() -> Checkpoint.open(directory), index.toString(), "not valid UTF-8");
    }

    @Test
    void refusesAnIndexThatIsAFolder() throws Exception {
        Files.delete(index);
        Files.createDirectory(index);

        assertRefused(() -> Checkpoint.open(directory), index.toString(), "is a folder");
    }

    @Test
    void refusesAnIndexOfMoreThanAHundredMegabytesUnread() throws Exception {
        try (FileChannel channel = FileChannel.open(index, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(1), SafetensorsHeader.MAX_BYTES);
        }

        assertRefused(() -> Checkpoint.open(directory), index.toString(), "more than 100000000 bytes");
    }

    private static String map(String tensor, String shard) {
        return "{\"weight_map\":{\"%s\":\"%s\"}}".formatted(tensor, shard);
    }
}
