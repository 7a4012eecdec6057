package io.gpuquant.safetensors;

import static io.gpuquant.safetensors.RawFiles.assertRefused;
import static io.gpuquant.safetensors.RawFiles.entry;

import io.gpuquant.file.MappedFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HexFormat;
import java.util.List;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class HostileHeaderTest {

    private static final String TENSOR = "tensor 'a.b'";

    @TempDir
    Path directory;

    private static HostileCase tensor(String name, String dtype, String shape, String offsets, String... says) {
        return HostileCase.of(name, "{" + entry("a.b", dtype, shape, offsets) + "}", 16, says);
    }

    static List<HostileCase> numbers() {
        return List.of(
                tensor("fewer bytes", "F32", "[3]", "[0,16]", TENSOR, "12 bytes", "hold 16"),
                tensor("more bytes", "F32", "[5]", "[0,16]", TENSOR, "20 bytes", "hold 16"),
                tensor("beyond the data", "F32", "[5]", "[0,20]", TENSOR, "byte 20", "only 16"),
                tensor("far beyond the data", "U8", "[1]", "[9223372036854775806,9223372036854775807]", TENSOR),
                tensor("end before begin", "U8", "[4]", "[8,4]", TENSOR, "hold -4"),
                tensor("negative offset", "U8", "[17]", "[-1,16]", TENSOR, "data_offsets", "negative"),
                tensor("negative extent", "U8", "[-16]", "[0,16]", TENSOR, "shape", "negative"),
                tensor("two negative extents", "U8", "[-4,-4]", "[0,16]", TENSOR, "negative"),
                tensor("negative zero", "U8", "[-0]", "[0,0]", TENSOR, "negative"),
                tensor("fraction", "U8", "[16.0]", "[0,16]", TENSOR, "fractional number"),
                tensor("exponent", "U8", "[16]", "[0,1.6e1]", TENSOR, "fractional number"),
                tensor("number in a string", "U8", "[\"16\"]", "[0,16]", TENSOR, "string"),
                tensor("null extent", "U8", "[null]", "[0,16]", TENSOR, "null"),
                tensor("truth value", "U8", "[true]", "[0,16]", TENSOR, "true"),
                tensor("nested extent", "U8", "[[16]]", "[0,16]", TENSOR, "an array"),
                tensor("beyond a long", "U8", "[9223372036854775808]", "[0,16]", TENSOR, "2^63-1"),
                tensor("beyond an unsigned long", "U8", "[18446744073709551632]", "[0,16]", TENSOR, "2^63-1"),
                tensor("5000 digits", "U8", "[" + "9".repeat(5000) + "]", "[0,16]", "too long"),
                tensor("leading zero", "U8", "[016]", "[0,16]", "not valid JSON"),
                tensor("hexadecimal", "U8", "[0x10]", "[0,16]", "not valid JSON"),
                tensor("not a number", "U8", "[NaN]", "[0,16]", "not valid JSON"),
                tensor("element count overflow", "U8", "[4294967296,4294967296]", "[0,16]", TENSOR, "too large"),
                tensor("wrapped element count", "U8", "[4294967297,4294967296,16]", "[0,16]", TENSOR, "too large"),
                tensor("byte count overflow", "F32", "[2305843009213693956]", "[0,16]", TENSOR, "too large"),
                tensor("half a byte", "F4", "[31]", "[0,16]", TENSOR, "whole bytes"),
                tensor("three quarters of a byte", "F6_E2M3", "[21]", "[0,16]", TENSOR, "whole bytes"),
                tensor("one offset", "U8", "[16]", "[16]", TENSOR, "1 of 2 numbers"),
                tensor("three offsets", "U8", "[16]", "[0,16,16]", TENSOR, "more than 2 numbers"),
                tensor("no offsets", "U8", "[16]", "[]", TENSOR, "0 of 2 numbers"),
                tensor("65 dimensions", "U8", "[" + "1,".repeat(64) + "16]", "[0,16]", TENSOR, "more than 64"),
                tensor("a million dimensions", "U8", "[" + "1,".repeat(1_000_000) + "16]", "[0,16]", "more than 64"));
    }

    static List<HostileCase> structures() {
        return List.of(
                tensor("unknown dtype", "F7", "[16]", "[0,16]", TENSOR, "'F7'"),
                tensor("dtype in lower case", "u8", "[16]", "[0,16]", TENSOR, "'u8'"),
                tensor("empty dtype", "", "[16]", "[0,16]", TENSOR, "''"),
                tensor("shape is a number", "U8", "16", "[0,16]", TENSOR, "shape", "an array is expected"),
                tensor("offsets are an object", "U8", "[16]", "{}", TENSOR, "data_offsets", "an array is expected"),
                inEntry("no dtype", "\"shape\":[16],\"data_offsets\":[0,16]", TENSOR, "dtype"),
                inEntry("no shape", "\"dtype\":\"U8\",\"data_offsets\":[0,16]", TENSOR, "shape"),
                inEntry("no offsets key", "\"dtype\":\"U8\",\"shape\":[16]", TENSOR, "data_offsets"),
                inEntry("empty entry", "", TENSOR, "lacks"),
                inEntry("dtype is a number", "\"dtype\":8,\"shape\":[16],\"data_offsets\":[0,16]", TENSOR, "a string"),
                inEntry(
                        "unknown key",
                        "\"dtype\":\"U8\",\"shape\":[16],\"data_offsets\":[0,16],\"stride\":[1]",
                        TENSOR,
                        "'stride'"),
                inEntry(
                        "key twice",
                        "\"dtype\":\"U8\",\"shape\":[16],\"dtype\":\"U8\",\"data_offsets\":[0,16]",
                        TENSOR,
                        "'dtype' twice"),
                inEntry("deep nesting", "\"shape\":" + "[".repeat(100_000), TENSOR, "an array"),
                inEntry("unknown deep nesting", "\"x\":" + "{\"x\":".repeat(100_000), TENSOR, "unknown key 'x'"),
                HostileCase.of(
                        "entry is an array", "{\"a.b\":[\"U8\",[16],[0,16]]}", 16, TENSOR, "an object is expected"),
                HostileCase.of("entry is null", "{\"a.b\":null}", 0, TENSOR, "null"),
                HostileCase.of(
                        "tensor twice",
                        "{" + entry("a.b", "U8", "[8]", "[0,8]") + "," + entry("a.b", "U8", "[8]", "[8,16]") + "}",
                        16,
                        "'a.b' twice"),
                HostileCase.of(
                        "metadata is a string",
                        "{\"__metadata__\":\"pt\"}",
                        0,
                        "__metadata__",
                        "an object is expected"),
                HostileCase.of("metadata is null", "{\"__metadata__\":null}", 0, "__metadata__", "null"),
                HostileCase.of(
                        "metadata holds a number",
                        "{\"__metadata__\":{\"n\":1}}",
                        0,
                        "__metadata__",
                        "'n'",
                        "a string"),
                HostileCase.of("metadata holds an object", "{\"__metadata__\":{\"n\":{}}}", 0, "__metadata__", "'n'"),
                HostileCase.of(
                        "metadata key twice",
                        "{\"__metadata__\":{\"n\":\"\",\"n\":\"\"}}",
                        0,
                        "__metadata__",
                        "'n' twice"),
                HostileCase.of(
                        "metadata twice", "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "'__metadata__' twice"));
    }

    private static HostileCase inEntry(String name, String keys, String... says) {
        return HostileCase.of(name, "{\"a.b\":{" + keys + "}}", 16, says);
    }

    static List<HostileCase> coverage() {
        return List.of(
                two("overlap", "[0,8]", "[7,15]", 15, "'b' overlaps tensor 'a'"),
                two("the same place", "[0,8]", "[0,8]", 8, "overlaps"),
                two("hole between tensors", "[0,8]", "[9,17]", 17, "bytes 8 to 9", "'a'", "'b'", "no tensor"),
                two("hole at the start", "[1,9]", "[9,17]", 17, "bytes 0 to 1", "'a'", "no tensor"),
                two("trailing bytes", "[0,8]", "[8,16]", 19, "last 3 bytes", "'b'", "no tensor"),
                two("truncated data", "[0,8]", "[8,16]", 15, "'b'", "byte 16", "only 15"),
                HostileCase.of("data without tensors", "{}", 1, "last 1 bytes", "no tensor"),
                HostileCase.of(
                        "empty tensor inside another",
                        "{" + entry("a", "U8", "[8]", "[0,8]") + "," + entry("b", "U8", "[0]", "[4,4]") + "}",
                        8,
                        "'b' overlaps tensor 'a'"));
    }

    private static HostileCase two(String name, String a, String b, int dataBytes, String... says) {
        return HostileCase.of(
                name, "{" + entry("a", "U8", "[8]", a) + "," + entry("b", "U8", "[8]", b) + "}", dataBytes, says);
    }

    static List<HostileCase> texts() {
        return List.of(
                HostileCase.of("no value", "        ", 0, "no JSON value"),
                HostileCase.of("not JSON", "hello world", 0, "not valid JSON"),
                HostileCase.of("unfinished", "{\"a.b\":{\"dtype\":\"U8\"", 0, "not valid JSON"),
                HostileCase.of("array", "[]", 0, "an array where an object is expected"),
                HostileCase.of("number", "17", 0, "a whole number where an object"),
                HostileCase.of("string", "\"{}\"", 0, "a string where an object"),
                HostileCase.of("null", "null", 0, "null where an object"),
                HostileCase.of("a second object", "{}{}", 0, "goes on after"),
                HostileCase.of("words behind", "{} x", 0, "not valid JSON"),
                HostileCase.of("zero bytes behind", "{}\0\0", 0, "not valid JSON"),
                HostileCase.of("trailing comma", "{\"__metadata__\":{},}", 0, "not valid JSON"),
                HostileCase.of("comment", "{/* */}", 0, "not valid JSON"),
                HostileCase.of("single quotes", "{'a':1}", 0, "not valid JSON"),
                HostileCase.of("byte order mark", "\ufeff{}", 0, "not valid JSON"),
                HostileCase.of("raw line break in a name", "{\"a\nb\":1}", 0, "not valid JSON"),
                HostileCase.of("unknown escape", "{\"\\x\":1}", 0, "not valid JSON"),
                HostileCase.of("half a surrogate pair", "{\"a\\ud834\":{}}", 0, "not valid Unicode", "'a\\ud834'"),
                HostileCase.of(
                        "half a pair in metadata", "{\"__metadata__\":{\"k\":\"\\udd1e\"}}", 0, "'k'", "Unicode"),
                HostileCase.of("deep nesting", "[".repeat(100_000), 0, "an array where an object"),
                HostileCase.of("very long name", "{\"" + "n".repeat(1_000_000) + "\":1}", 0, "too long"),
                HostileCase.of("terminal escapes in a name", "{\"\\u001b[2J\\u202e\":1}", 0, "'\\u001b[2J\\u202e'"),
                HostileCase.of("long name", "{\"" + "n".repeat(2000) + "\":1}", 0, "nnn…'"));
    }

    @ParameterizedTest
    @MethodSource({"numbers", "structures", "coverage", "texts"})
    void isRefusedWithFileAndTensor(HostileCase hostile) throws Exception {
        Path file = RawFiles.write(directory.resolve("model.safetensors"), hostile.text(), hostile.dataBytes());

        assertRefused(() -> SafetensorsHeader.read(file), file.toString());
        assertRefused(() -> Checkpoint.open(directory), hostile.parts());
    }

    @ParameterizedTest
    @ValueSource(strings = {"ff", "c080", "eda080", "f4908080", "e282", "c3", "80"})
    void refusesInvalidUtf8(String hex) throws Exception {
        // Latin-1 makes one byte of each of these characters.
        String invalid = new String(HexFormat.of().parseHex(hex), StandardCharsets.ISO_8859_1);
        byte[] header = ("{\"" + invalid + "\":{}}").getBytes(StandardCharsets.ISO_8859_1);
        Path file = Files.write(directory.resolve("x.safetensors"), RawFiles.bytes(header, 0));

        assertRefused(() -> SafetensorsFile.open(file), file.toString(), "not valid UTF-8");
    }

    @ParameterizedTest
    @ValueSource(longs = {9, 100_000_000, 100_000_001, Integer.MAX_VALUE, Long.MAX_VALUE, Long.MIN_VALUE, -1, -8})
    void refusesAHeaderLengthBeyondTheFileOrTheLimit(long length) throws Exception {
        byte[] bytes = RawFiles.bytes("{}      ", 0);
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putLong(0, length);
        Path file = Files.write(directory.resolve("x.safetensors"), bytes);

        assertRefused(() -> SafetensorsFile.open(file), file.toString(), Long.toUnsignedString(length) + " bytes");
    }

    @Test
    void refusesAHeaderOfNoBytes() throws Exception {
        Path file = RawFiles.write(directory.resolve("x.safetensors"), "", 0);

        assertRefused(() -> SafetensorsFile.open(file), file.toString(), "no JSON value");
    }

    @Test
    void refusesTheLongestHeaderWhenItIsNothing() throws Exception {
        Path file = directory.resolve("x.safetensors");
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(RawFiles.bytes("", 0)), 0);
            channel.write(
                    ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, SafetensorsHeader.MAX_BYTES), 0);
            channel.write(ByteBuffer.allocate(1), 8 + SafetensorsHeader.MAX_BYTES - 1);
        }

        assertRefused(() -> SafetensorsFile.open(file), file.toString(), "not valid JSON");
    }

    @Test
    void refusesMoreThanAMillionKeys() throws Exception {
        StringBuilder header = new StringBuilder("{\"__metadata__\":{");
        for (int i = 0; i <= StrictJson.MOST_KEYS; i++) {
            header.append(i == 0 ? "\"" : ",\"").append(i).append("\":\"\"");
        }
        Path file = RawFiles.write(directory.resolve("x.safetensors"), header + "}}", 0);

        assertRefused(() -> SafetensorsFile.open(file), file.toString(), "__metadata__ has more than 1000000 keys");
    }

    @Test
    void refusesAnEmptyFile() throws Exception {
        Path file = Files.createFile(directory.resolve("x.safetensors"));

        assertRefused(() -> SafetensorsFile.open(file), file.toString(), "it is empty");
    }

    @Test
    void refusesAFileThatIsNotThere() {
        Path file = directory.resolve("x.safetensors");

        assertRefused(() -> SafetensorsFile.open(file), file.toString(), "does not exist");
    }

    @Test
    void refusesALinkToNothing() throws Exception {
        Path file = Files.createSymbolicLink(directory.resolve("model.safetensors"), Path.of("gone"));

        assertRefused(() -> Checkpoint.open(directory), file.toString(), "does not exist");
    }

    @Test
    void refusesAFolderAndADevice() throws Exception {
        Path folder = Files.createDirectory(directory.resolve("x.safetensors"));

        assertRefused(() -> SafetensorsFile.open(folder), folder.toString(), "is a folder");
        assertRefused(() -> SafetensorsFile.open(Path.of("/dev/null")), "/dev/null", "no regular file");
    }

    @Test
    void saysWhatAGitLfsPointerIs() throws Exception {
        String pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n";
        Path file = Files.writeString(directory.resolve("x.safetensors"), pointer);

        assertRefused(() -> SafetensorsFile.open(file), file.toString(), "Git LFS pointer", "git lfs pull");
    }

    @Test
    void refusesALinkToItself() throws Exception {
        Path file = Files.createSymbolicLink(directory.resolve("x.safetensors"), Path.of("x.safetensors"));

        assertRefused(() -> SafetensorsFile.open(file), file.toString(), "cannot be read");
    }

    @Test
    void explainsAMissingPermission() {
        Path file = Path.of("x.safetensors");

        Assertions.assertThat(MappedFile.unreadable(file, new AccessDeniedException("x.safetensors")))
                .hasMessage("x.safetensors cannot be read (permission denied); check its permissions and the disk");
    }

    @Test
    void namesTheTensorThatAFileDoesNotHave() throws Exception {
        Path path = RawFiles.write(directory.resolve("x.safetensors"), "{}", 0);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            Assertions.assertThat(file.contains("w")).isFalse();
            Assertions.assertThat(file.path()).isEqualTo(path);
            assertRefused(() -> file.tensor("w"), path.toString(), "no tensor 'w'");
        }
    }
}
