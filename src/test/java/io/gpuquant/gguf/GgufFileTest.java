package io.gpuquant.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.gpuquant.GpuQuantException;
import io.gpuquant.InputException;
import io.gpuquant.UsageException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufFileTest {

    @TempDir
    Path folder;

    private static Map<String, GgufValue> everyType() {
        Map<String, GgufValue> metadata = new LinkedHashMap<>();
        metadata.put("u8", new GgufValue.Whole(GgufType.UINT8, 255));
        metadata.put("i8", new GgufValue.Whole(GgufType.INT8, -128));
        metadata.put("u16", new GgufValue.Whole(GgufType.UINT16, 65535));
        metadata.put("i16", new GgufValue.Whole(GgufType.INT16, -32768));
        metadata.put("u32", GgufValue.count(0xffff_ffffL));
        metadata.put("i32", new GgufValue.Whole(GgufType.INT32, -1));
        metadata.put("u64", new GgufValue.Whole(GgufType.UINT64, -1));
        metadata.put("i64", new GgufValue.Whole(GgufType.INT64, Long.MIN_VALUE));
        metadata.put("f32", GgufValue.real(1e-5f));
        metadata.put("f64", new GgufValue.Real(GgufType.FLOAT64, Math.PI));
        metadata.put("yes", GgufValue.flag(true));
        metadata.put("text", GgufValue.text("naïve 😀\0"));
        metadata.put("texts", GgufValue.texts(List.of("", "a", "Ġb")));
        metadata.put("bytes", new GgufValue.Array(GgufType.INT8, List.of(-1L, 0L, 127L)));
        metadata.put("floats", new GgufValue.Array(GgufType.FLOAT32, List.of(-1000.0, 0.5)));
        metadata.put("flags", new GgufValue.Array(GgufType.BOOL, List.of(true, false)));
        metadata.put("none", new GgufValue.Array(GgufType.INT32, List.of()));
        return metadata;
    }

    private static List<GgufLayout.Spec> tensors() {
        return List.of(
                new GgufLayout.Spec("token_embd.weight", GgmlType.F16, List.of(3L, 5L)),
                new GgufLayout.Spec("blk.0.attn_norm.weight", GgmlType.F32, List.of(3L)),
                new GgufLayout.Spec("blk.0.ffn_up_exps.weight", GgmlType.Q4_K, List.of(256L, 2L, 2L)));
    }

    private Path write(String name) {
        Path file = folder.resolve(name);
        GgufLayout layout = GgufLayout.of(everyType(), tensors());
        try (GgufWriter writer = GgufWriter.create(file, layout)) {
            for (GgufTensor tensor : layout.header().tensors()) {
                byte[] data = new byte[(int) tensor.byteSize()];
                for (int i = 0; i < data.length; i++) {
                    data[i] = (byte) (i + tensor.name().length());
                }
                int half = data.length / 2;
                writer.write(tensor.name(), 0, MemorySegment.ofArray(data).asSlice(0, half));
                writer.write(tensor.name(), half, MemorySegment.ofArray(data).asSlice(half));
            }
            writer.finish();
        }
        return file;
    }

    @Test
    void readsWhatItWrites() throws IOException {
        Path file = write("model.gguf");

        assertThat(Files.size(file))
                .isEqualTo(GgufLayout.of(everyType(), tensors()).fileBytes());
        try (GgufFile gguf = GgufFile.open(file)) {
            assertThat(gguf.header().metadata()).containsExactlyEntriesOf(everyType());
            assertThat(gguf.header().tensors())
                    .extracting(GgufTensor::name, GgufTensor::type, GgufTensor::shape, GgufTensor::offset)
                    .containsExactly(
                            tuple("token_embd.weight", GgmlType.F16, "[5, 3]", 0L),
                            tuple("blk.0.attn_norm.weight", GgmlType.F32, "[3]", 32L),
                            tuple("blk.0.ffn_up_exps.weight", GgmlType.Q4_K, "[2, 2, 256]", 64L));
            assertThat(gguf.header().dataStart() % 32).isZero();
            GgufTensor last = gguf.find("blk.0.ffn_up_exps.weight").orElseThrow();
            assertThat(last.byteSize()).isEqualTo(4 * 144);
            MemorySegment data = gguf.data(last);
            assertThat(data.get(ValueLayout.JAVA_BYTE, 0))
                    .isEqualTo((byte) last.name().length());
            assertThat(data.get(ValueLayout.JAVA_BYTE, 575))
                    .isEqualTo((byte) (575 + last.name().length()));
            assertThat(gguf.text("text")).contains("naïve 😀\0");
            assertThat(gguf.whole("u64")).contains(-1L);
            assertThat(gguf.real("f32")).contains((double) 1e-5f);
            assertThat(gguf.flag("yes")).contains(true);
            assertThat(gguf.array("texts").orElseThrow().texts()).containsExactly("", "a", "Ġb");
            assertThat(gguf.text("absent")).isEmpty();
            assertThatThrownBy(() -> gguf.text("u8"))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("'u8' is of type UINT8");
        }
    }

    /** The bytes of a small file, as the specification has them. */
    @Test
    void headerIsThatOfTheSpecification() throws IOException {
        Map<String, GgufValue> metadata = new LinkedHashMap<>();
        metadata.put("a", GgufValue.count(7));
        metadata.put("b", GgufValue.texts(List.of("x")));
        Path file = folder.resolve("small.gguf");
        GgufLayout layout = GgufLayout.of(metadata, List.of(new GgufLayout.Spec("t", GgmlType.F32, List.of(1L))));
        try (GgufWriter writer = GgufWriter.create(file, layout)) {
            writer.write("t", MemorySegment.ofArray(new float[] {1}));
            writer.finish();
        }

        String expected = "47475546 03000000 0100000000000000 0200000000000000"
                + "0100000000000000 61 04000000 07000000"
                + "0100000000000000 62 09000000 08000000 0100000000000000 0100000000000000 78"
                + "0100000000000000 74 01000000 0100000000000000 00000000 0000000000000000";
        String header = expected.replace(" ", "");
        int padding = (32 - header.length() / 2 % 32) % 32;
        assertThat(HexFormat.of().formatHex(Files.readAllBytes(file)))
                .isEqualTo(header + "00".repeat(padding) + "0000803f" + "00".repeat(28));
    }

    @Test
    void everyDamagedHeaderIsReadOrRefusedInASentence() throws IOException {
        byte[] good = Files.readAllBytes(write("good.gguf"));
        int headerBytes = (int) GgufLayout.of(everyType(), tensors()).header().dataStart();
        int refused = 0;
        for (int at = 0; at < headerBytes; at++) {
            for (int value : new int[] {0, 1, 0x7f, 0x80, 0xff, ~good[at] & 0xff, good[at] ^ 1}) {
                byte[] bad = good.clone();
                bad[at] = (byte) value;
                refused += opens(bad) ? 0 : 1;
            }
        }
        for (int length = 0; length < headerBytes; length++) {
            byte[] bad = Arrays.copyOf(good, length);
            assertThat(opens(bad)).as("%d bytes", length).isFalse();
        }
        assertThat(refused).isGreaterThan(headerBytes);
    }

    /** Whether a header is accepted; anything but a refusal in one sentence fails the test. */
    private static boolean opens(byte[] bytes) {
        try {
            GgufHeader header = GgufHeader.parse(MemorySegment.ofArray(bytes), Path.of("bad.gguf"));
            for (GgufTensor tensor : header.tensors()) {
                assertThat(header.dataStart() + tensor.offset() + tensor.byteSize())
                        .isBetween(0L, (long) bytes.length);
            }
            return true;
        } catch (GpuQuantException refused) {
            assertThat(refused).isInstanceOf(InputException.class);
            assertThat(refused.getMessage()).startsWith("bad.gguf ").doesNotContain("\n");
            return false;
        }
    }

    @Test
    void namesWhatIsWrong() throws IOException {
        byte[] good = Files.readAllBytes(write("good.gguf"));

        refused(good, 4, 9, "is of GGUF version 9; gpuquant reads versions 2 and 3");
        refused(good, 0, 0x20, "is no GGUF file");
        refused(good, 15, 0x7f, "the number of tensors is 9151314442816847875, more than the file has room for");
        refused(good, find(good, "i8") - 8, 0, "a metadata key is empty");
        refused(good, find(good, "i8") + 2, 77, "the value of 'i8' has the type 77, which does not exist");
        refused(good, find(good, "u16") + 1, 'x', "");
        refused(good, find(good, "blk.0.attn_norm") - 8, 200, "");
        int type = find(good, "token_embd.weight") + 17 + 4 + 16;
        refused(good, type, 16, "the tensor 'token_embd.weight' has the type 16, which gpuquant does not know");
        refused(good, type, 2, "rows of 3 elements, which the blocks of 32 of Q4_0 do not divide");
        refused(good, type + 4, 32, "'token_embd.weight' has the offset 32, but the tensors before it end at 0");
        refused(good, type - 16 - 4, 5, "has 5 dimensions; there can be 1 to 4");
        refused(good, type - 16 + 7, 0x80, "has the extent -");
        refused(good, type - 16 + 7, 0x7f, "of shape [5, 9151314442816847875] is too large");
        refused(good, type - 16 + 3, 1, "but the tensors before it end at");
    }

    private void refused(byte[] good, int at, int value, String message) {
        byte[] bad = good.clone();
        bad[at] = (byte) value;
        if (message.isEmpty()) {
            opens(bad);
            return;
        }
        assertThatThrownBy(() -> GgufHeader.parse(MemorySegment.ofArray(bad), Path.of("bad.gguf")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(message);
    }

    private static int find(byte[] bytes, String text) {
        return new String(bytes, StandardCharsets.ISO_8859_1).indexOf(text);
    }

    @Test
    void refusesHugeCountsWithoutTakingMemoryForThem() {
        ByteBuffer header = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
        header.putInt(GgufHeader.MAGIC)
                .putInt(3)
                .putLong(0)
                .putLong(1)
                .putLong(1)
                .put((byte) 'k');
        header.putInt(GgufType.ARRAY.id()).putInt(GgufType.UINT8.id()).putLong(1L << 40);

        assertThatThrownBy(() -> GgufHeader.parse(MemorySegment.ofArray(header.array()), Path.of("bad.gguf")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("the length of the value of 'k' is 1099511627776, more than the file has room");
    }

    @Test
    void writerKeepsToItsLayout() {
        GgufLayout layout = GgufLayout.of(Map.of(), tensors());
        try (GgufWriter writer = GgufWriter.create(folder.resolve("x.gguf"), layout)) {
            assertThatThrownBy(() -> writer.write("nothing", MemorySegment.ofArray(new byte[1])))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> writer.write("token_embd.weight", MemorySegment.ofArray(new byte[1])))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> writer.write("token_embd.weight", 2, MemorySegment.ofArray(new byte[1])))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(writer::finish)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("token_embd.weight");
        }
        assertThatThrownBy(() -> GgufWriter.create(folder.resolve("x.gguf"), layout))
                .isInstanceOf(UsageException.class);
    }

    @Test
    void valuesAreOfTheirType() {
        assertThatThrownBy(() -> new GgufValue.Whole(GgufType.UINT8, 256)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new GgufValue.Whole(GgufType.BOOL, 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new GgufValue.Real(GgufType.INT8, 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new GgufValue.Array(GgufType.ARRAY, List.of()))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new GgufValue.Array(GgufType.STRING, List.of(1L)))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new GgufLayout.Spec("x".repeat(64), GgmlType.F32, List.of(1L)))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
