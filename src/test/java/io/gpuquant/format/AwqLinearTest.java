package io.gpuquant.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.InputException;
import io.gpuquant.safetensors.SafetensorsFile;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AwqLinearTest {

    private static final Path GOLDENS = Path.of("src/test/resources/goldens/packing");

    @ParameterizedTest
    @CsvSource({"GEMM, 32", "GEMM, 64", "GEMM, 128", "GEMV, 32", "GEMV, 64", "GEMV, 128"})
    void readsWhatAutoAwqPacked(AwqVersion version, int groupSize) {
        Path file = GOLDENS.resolve("awq-" + version.formatName() + "-g" + groupSize + ".safetensors");
        try (SafetensorsFile golden = SafetensorsFile.open(file)) {
            PackedLinear linear = new AwqScheme(groupSize, false, version)
                    .read(tensor -> Optional.of(golden.tensor(tensor.substring("m.".length()))), "m");

            assertThat(linear.in()).isEqualTo(256);
            assertThat(linear.out()).isEqualTo(96);
            int groups = 256 / groupSize;
            for (int out = 0; out < 96; out++) {
                for (int in = 0; in < 256; in++) {
                    assertThat(linear.code(in, out)).isEqualTo(integer(golden.tensor("codes"), out * 256 + in));
                    assertThat(linear.weight(out, in)).isEqualTo(real(golden.tensor("dense"), out * 256 + in));
                }
                for (int group = 0; group < groups; group++) {
                    assertThat(linear.zero(group, out))
                            .isEqualTo(integer(golden.tensor("zeros"), out * groups + group));
                }
            }
        }
    }

    @Test
    void readsTheGoldenWords() {
        Map<String, HostTensor> gemm = new HashMap<>();
        gemm.put("m.qweight", words("m.qweight", 0x75316420, 8, 1));
        gemm.put("m.qzeros", words("m.qzeros", 0x75316420, 1, 1));
        gemm.put("m.scales", tensor("m.scales", DType.F16, 1, 8));
        PackedLinear linear = read(gemm, new AwqScheme(8, false, AwqVersion.GEMM));
        for (int i = 0; i < 8; i++) {
            assertThat(linear.code(0, i)).isEqualTo(i);
            assertThat(linear.zero(0, i)).isEqualTo(i);
        }

        Map<String, HostTensor> gemv = new HashMap<>();
        gemv.put("m.qweight", words("m.qweight", 0x76543210, 1, 16));
        gemv.put("m.qzeros", tensor("m.qzeros", DType.I32, 1, 1));
        gemv.put("m.scales", tensor("m.scales", DType.F16, 1, 8));
        PackedLinear other = read(gemv, new AwqScheme(128, false, AwqVersion.GEMV));
        for (int i = 0; i < 8; i++) {
            assertThat(other.code(i, 0)).isEqualTo(i);
        }
    }

    @Test
    void refusesTensorsThatDoNotMakeALinear() {
        AwqScheme scheme = new AwqScheme(64, true, AwqVersion.GEMM);
        Map<String, HostTensor> missing = linear();
        missing.remove("m.scales");
        assertThatThrownBy(() -> read(missing, scheme))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("m.scales");
        Map<String, HostTensor> shape = linear();
        shape.put("m.qzeros", tensor("m.qzeros", DType.I32, 2, 4));
        assertThatThrownBy(() -> read(shape, scheme))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("m.qzeros is I32[2, 4]")
                .hasMessageContaining("I32[1, 4]");
        Map<String, HostTensor> type = linear();
        type.put("m.scales", tensor("m.scales", DType.BF16, 1, 32));
        assertThatThrownBy(() -> read(type, scheme))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("m.scales is BF16");
        Map<String, HostTensor> rank = linear();
        rank.put("m.qweight", tensor("m.qweight", DType.I32, 64, 4, 1));
        assertThatThrownBy(() -> read(rank, scheme))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("m.qweight");
        Map<String, HostTensor> empty = linear();
        empty.put("m.qweight", tensor("m.qweight", DType.I32, 0, 4));
        assertThatThrownBy(() -> read(empty, scheme))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("which no linear has");
    }

    private static PackedLinear read(Map<String, HostTensor> tensors, AwqScheme scheme) {
        return scheme.read(name -> Optional.ofNullable(tensors.get(name)), "m");
    }

    /** 64 to 32 features in one group. */
    private static Map<String, HostTensor> linear() {
        Map<String, HostTensor> tensors = new HashMap<>();
        tensors.put("m.qweight", tensor("m.qweight", DType.I32, 64, 4));
        tensors.put("m.qzeros", tensor("m.qzeros", DType.I32, 1, 4));
        tensors.put("m.scales", tensor("m.scales", DType.F16, 1, 32));
        return tensors;
    }

    private static HostTensor words(String name, int word, long... extents) {
        HostTensor tensor = tensor(name, DType.I32, extents);
        tensor.data().set(Elements.INT, 0, word);
        return tensor;
    }

    private static HostTensor tensor(String name, DType dtype, long... extents) {
        Shape shape = Shape.of(extents);
        return new HostTensor(
                name, dtype, shape, MemorySegment.ofArray(new byte[(int) dtype.bytes(shape.elementCount())]));
    }

    private static int integer(HostTensor tensor, long index) {
        return tensor.data().get(Elements.INT, index * Integer.BYTES);
    }

    private static float real(HostTensor tensor, long index) {
        return tensor.data().get(Elements.FLOAT, index * Float.BYTES);
    }
}
