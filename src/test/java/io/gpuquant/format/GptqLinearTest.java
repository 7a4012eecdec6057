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

class GptqLinearTest {

    private static final Path GOLDENS = Path.of("src/test/resources/goldens/packing");

    @ParameterizedTest
    @CsvSource({
        "2, gptq-v1-2bit-g64", "3, gptq-v1-3bit-g64", "4, gptq-v1-4bit-g64", "8, gptq-v1-8bit-g64",
        "2, gptq-v1-2bit-g64-act", "3, gptq-v1-3bit-g64-act", "4, gptq-v1-4bit-g64-act", "8, gptq-v1-8bit-g64-act"
    })
    void readsWhatAutoGptqPacked(int bits, String name) {
        try (SafetensorsFile golden = SafetensorsFile.open(GOLDENS.resolve(name + ".safetensors"))) {
            GptqScheme scheme = new GptqScheme(bits, 64, false, name.endsWith("act"), GptqVersion.V1);
            GptqLinear linear = GptqLinear.read(
                    tensor -> Optional.of(golden.tensor(tensor.substring("m.".length()))),
                    new GptqTensors("m"),
                    scheme);

            assertThat(linear.in()).isEqualTo(256);
            assertThat(linear.out()).isEqualTo(96);
            for (int out = 0; out < 96; out++) {
                for (int in = 0; in < 256; in++) {
                    assertThat(linear.code(in, out)).isEqualTo(integer(golden.tensor("codes"), out * 256 + in));
                    assertThat(linear.weight(out, in)).isEqualTo(real(golden.tensor("dense"), out * 256 + in));
                }
                for (int group = 0; group < 4; group++) {
                    assertThat(linear.zero(group, out)).isEqualTo(integer(golden.tensor("zeros"), out * 4 + group));
                }
            }
        }
    }

    @Test
    void refusesAMissingTensor() {
        Map<String, HostTensor> tensors = linear();
        tensors.remove("m.scales");

        assertThatThrownBy(() -> read(tensors))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("m.scales");
    }

    @Test
    void refusesAShapeThatDoesNotFitTheOthers() {
        Map<String, HostTensor> tensors = linear();
        tensors.put("m.qzeros", tensor("m.qzeros", DType.I32, 2, 4));

        assertThatThrownBy(() -> read(tensors))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("m.qzeros is I32[2, 4]")
                .hasMessageContaining("I32[1, 4]");
    }

    @Test
    void refusesATypeThatDoesNotFit() {
        Map<String, HostTensor> tensors = linear();
        tensors.put("m.scales", tensor("m.scales", DType.BF16, 1, 32));

        assertThatThrownBy(() -> read(tensors))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("m.scales is BF16");
    }

    @Test
    void refusesCodesThatAreNoMatrix() {
        Map<String, HostTensor> tensors = linear();
        tensors.put("m.qweight", tensor("m.qweight", DType.I32, 8, 32, 1));

        assertThatThrownBy(() -> read(tensors))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("m.qweight");
    }

    @Test
    void readsAZeroPointThatWrapsAround() {
        Map<String, HostTensor> tensors = linear();
        // Version 1 stores one less than the zero point: 15 stands for 0 where a writer let 0 - 1 wrap.
        HostTensor zeros = tensor("m.qzeros", DType.I32, 1, 4);
        zeros.data().set(Elements.INT, 0, 0xffffffff);
        tensors.put("m.qzeros", zeros);

        assertThat(read(tensors).zero(0, 3)).isZero();
    }

    private static GptqLinear read(Map<String, HostTensor> tensors) {
        return GptqLinear.read(
                name -> Optional.ofNullable(tensors.get(name)),
                new GptqTensors("m"),
                new GptqScheme(4, -1, true, false, GptqVersion.V1));
    }

    /** 64 to 32 features, 4 bits, one group. */
    private static Map<String, HostTensor> linear() {
        Map<String, HostTensor> tensors = new HashMap<>();
        tensors.put("m.qweight", tensor("m.qweight", DType.I32, 8, 32));
        tensors.put("m.qzeros", tensor("m.qzeros", DType.I32, 1, 4));
        tensors.put("m.scales", tensor("m.scales", DType.F16, 1, 32));
        tensors.put("m.g_idx", tensor("m.g_idx", DType.I32, 64));
        return tensors;
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
