package io.gpuquant.safetensors;

import static io.gpuquant.safetensors.RawFiles.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.entry;

import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsHeaderTest {

    @TempDir
    Path directory;

    @Test
    void readsTensorsInTheOrderOfTheirOffsets() throws Exception {
        String json = "{" + entry("b", "F32", "[2]", "[4,12]") + "," + entry("a", "BF16", "[1,2]", "[0,4]") + "}";
        Path file = RawFiles.write(directory.resolve("x.safetensors"), json, 12);

        SafetensorsHeader header = SafetensorsHeader.read(file);

        assertThat(header.tensors())
                .containsExactly(
                        new TensorInfo("a", DType.BF16, Shape.of(1, 2), 0, 4),
                        new TensorInfo("b", DType.F32, Shape.of(2), 4, 8));
        assertThat(header.dataStart()).isEqualTo(8 + json.length());
        assertThat(header.metadata()).isEmpty();
    }

    @Test
    void readsMetadataInTheOrderOfTheFile() {
        SafetensorsHeader header = parse("{\"__metadata__\":{\"format\":\"pt\",\"a\":\"\\u00e4\"}}", 0);

        assertThat(header.metadata()).containsExactly(entry("format", "pt"), entry("a", "ä"));
        assertThat(header.tensors()).isEmpty();
        assertThatThrownBy(() -> header.metadata().put("b", "c")).isInstanceOf(UnsupportedOperationException.class);
    }

    @Test
    void acceptsKeysInAnyOrderAndWhiteSpaceAround() {
        SafetensorsHeader header =
                parse("\t\n {\"a\" : {\"data_offsets\":[0, 4],\n\"shape\":[], \"dtype\":\"I32\"}} \r\n", 4);

        assertThat(header.tensors()).containsExactly(new TensorInfo("a", DType.I32, Shape.of(), 0, 4));
    }

    @Test
    void acceptsTensorsOfNoBytesAnywhere() {
        String json = "{" + entry("full", "U8", "[2]", "[0,2]") + "," + entry("end", "F32", "[0]", "[2,2]") + ","
                + entry("start", "F32", "[9223372036854775807,9223372036854775807,0]", "[0,0]") + "}";

        assertThat(parse(json, 2).tensors()).extracting(TensorInfo::name).containsExactly("start", "full", "end");
    }

    @Test
    void acceptsSubByteTypesThatFillWholeBytes() {
        String json = "{" + entry("a", "F4", "[3,2]", "[0,3]") + "," + entry("b", "F6_E2M3", "[4]", "[3,6]") + "}";

        assertThat(parse(json, 6).tensors()).extracting(TensorInfo::byteSize).containsExactly(3L, 3L);
    }

    @Test
    void readsTheCheckpointOfTheDemo() {
        SafetensorsHeader header = SafetensorsHeader.read(Path.of("datasets/demo-llama/model.safetensors"));

        assertThat(header.metadata()).isEqualTo(Map.of("format", "pt"));
        assertThat(header.tensors().getFirst())
                .isEqualTo(new TensorInfo("lm_head.weight", DType.F16, Shape.of(1024, 256), 0, 524288));
        assertThat(header.tensors().getLast().name()).isEqualTo("model.norm.weight");
    }

    @Test
    void aTensorInfoRefusesBytesThatAreNotThoseOfItsShape() {
        Shape shape = Shape.of(2);
        assertThatThrownBy(() -> new TensorInfo("a", DType.F32, shape, 0, 4))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new TensorInfo("a", DType.F32, shape, -1, 8))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new TensorInfo("a", DType.F32, shape, Long.MAX_VALUE, 8))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new TensorInfo("a", DType.F4, Shape.of(1), 0, 0))
                .isInstanceOf(IllegalArgumentException.class);
    }

    private static SafetensorsHeader parse(String json, int dataBytes) {
        return SafetensorsHeader.parse(MemorySegment.ofArray(RawFiles.bytes(json, dataBytes)), Path.of("x"));
    }
}
