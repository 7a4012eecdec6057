package io.gpuquant.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.InputException;
import io.gpuquant.safetensors.SafetensorsFile;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PackQuantizedLinearTest {

    private static final Path GOLDENS = Path.of("src/test/resources/goldens/formats");

    /** What quotients that upstream rounds to BF16, near 16 to a sixteenth, may add to half a step. */
    private static final double SLACK = 0.1;

    @ParameterizedTest
    @CsvSource({"ct_W4A16, true", "ct_W4A16_ASYM, false"})
    void readsWhatCompressedTensorsPacked(String golden, boolean symmetric) {
        PackQuantizedScheme scheme = new PackQuantizedScheme(4, 128, symmetric, DType.BF16);
        try (SafetensorsFile file = SafetensorsFile.open(GOLDENS.resolve(golden + "/model.safetensors"));
                SafetensorsFile base = SafetensorsFile.open(GOLDENS.resolve("base_bf16_two_linears.safetensors"))) {
            TensorReader reader = name -> file.contains(name) ? Optional.of(file.tensor(name)) : Optional.empty();
            for (String module : List.of("model.layers.0.mlp.down_proj", "model.layers.0.self_attn.q_proj")) {
                HostTensor weight = base.tensor(module + ".weight");
                PackedLinear linear = scheme.read(reader, module);
                assertThat(List.of(linear.out(), linear.in()))
                        .isEqualTo(List.of((int) weight.shape().extent(0), (int)
                                weight.shape().extent(1)));
                for (int out = 0; out < linear.out(); out++) {
                    for (int in = 0; in < linear.in(); in++) {
                        float original = Elements.floatAt(weight.data(), DType.BF16, (long) out * linear.in() + in);
                        float scale = linear.scale(linear.group(in), out);
                        assertThat(Math.abs(linear.weight(out, in) - original) / scale)
                                .isLessThanOrEqualTo((float) (0.5 + SLACK));
                    }
                }
            }
        }
    }

    @Test
    void putsTheGoldenWordsTogether() {
        PackQuantizedScheme scheme = new PackQuantizedScheme(4, 16, false, DType.F16);
        try (Arena arena = Arena.ofConfined()) {
            LinearBuilder builder = scheme.builder("m", 16, 16, arena);
            for (int i = 0; i < 16; i++) {
                builder.code(i, 0, i);
                builder.zero(0, i, i);
            }
            Map<String, HostTensor> tensors = byName(builder);
            assertThat(word(tensors, "m.weight_packed", 0)).isEqualTo(0x76543210);
            assertThat(word(tensors, "m.weight_packed", 1)).isEqualTo(0xfedcba98);
            assertThat(word(tensors, "m.weight_zero_point", 0)).isEqualTo(0x76543210);
            assertThat(word(tensors, "m.weight_zero_point", 1)).isEqualTo(0xfedcba98);
            assertThat(Objects.requireNonNull(tensors.get("m.weight_shape"))
                            .data()
                            .get(Elements.LONG, 8))
                    .isEqualTo(16);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "2, 64, 5, 32, false",
        "3, 40, 33, 8, false",
        "4, 12, 7, -1, true",
        "5, 20, 9, 10, false",
        "6, 35, 4, 7, true",
        "7, 9, 11, 3, false",
        "8, 30, 10, 15, false"
    })
    void readsWhatWasPutTogether(int bits, int in, int out, int groupSize, boolean symmetric) {
        PackQuantizedScheme scheme = new PackQuantizedScheme(bits, groupSize, symmetric, DType.BF16);
        SplittableRandom random = new SplittableRandom(bits);
        int[][] codes = new int[out][in];
        int[][] zeros = new int[out][scheme.groups(in)];
        float[][] scales = new float[out][scheme.groups(in)];
        try (Arena arena = Arena.ofConfined()) {
            LinearBuilder builder = scheme.builder("m", in, out, arena);
            for (int o = 0; o < out; o++) {
                for (int i = 0; i < in; i++) {
                    codes[o][i] = random.nextInt(1 << bits);
                    builder.code(i, o, codes[o][i]);
                }
                for (int group = 0; group < scheme.groups(in); group++) {
                    zeros[o][group] = symmetric ? 1 << bits - 1 : random.nextInt(1 << bits);
                    scales[o][group] = random.nextInt(1, 256) / 1024f;
                    builder.zero(group, o, zeros[o][group]);
                    builder.scale(group, o, scales[o][group]);
                }
            }
            PackedLinear linear = read(byName(builder), scheme);
            for (int o = 0; o < out; o++) {
                for (int i = 0; i < in; i++) {
                    int group = linear.group(i);
                    assertThat(linear.code(i, o)).isEqualTo(codes[o][i]);
                    assertThat(linear.weight(o, i)).isEqualTo(scales[o][group] * (codes[o][i] - zeros[o][group]));
                }
            }
        }
    }

    @Test
    void refusesTensorsThatDoNotMakeALinear() {
        PackQuantizedScheme scheme = new PackQuantizedScheme(4, 64, false, DType.BF16);
        assertRefused(scheme, "m.weight_zero_point", null, "no tensor m.weight_zero_point");
        assertRefused(scheme, "m.weight_shape", null, "no tensor m.weight_shape");
        assertRefused(scheme, "m.weight_scale", tensor(DType.BF16, 32, 2), "m.weight_scale is BF16[32, 2]");
        assertRefused(scheme, "m.weight_scale", tensor(DType.U8, 32, 1), "only F32, F16 and BF16");
        assertRefused(scheme, "m.weight_packed", tensor(DType.I32, 32, 9), "I32[32, 8]");
        assertRefused(scheme, "m.weight_shape", tensor(DType.I64, 2), "which no linear has");
        assertRefused(scheme, "m.weight_shape", tensor(DType.I32, 2), "two I64");
        assertRefused(scheme, "m.weight_g_idx", tensor(DType.I32, 64), "static groups");
    }

    @Test
    void refusesSchemesThatThereAreNot() {
        assertThatIllegalArgumentException().isThrownBy(() -> new PackQuantizedScheme(1, 64, true, DType.F16));
        assertThatIllegalArgumentException().isThrownBy(() -> new PackQuantizedScheme(4, 0, true, DType.F16));
        assertThatIllegalArgumentException().isThrownBy(() -> new PackQuantizedScheme(4, 64, true, DType.F32));
        assertThat(new PackQuantizedScheme(4, 48, true, DType.F16).obstacle(64, 32))
                .isPresent();
        assertThat(new PackQuantizedScheme(3, 16, true, DType.F16).obstacle(80, 7))
                .isEmpty();
    }

    private static void assertRefused(
            PackQuantizedScheme scheme,
            String name,
            @org.jspecify.annotations.Nullable HostTensor replacement,
            String message) {
        Map<String, HostTensor> tensors = new HashMap<>();
        tensors.put("m.weight_packed", tensor(DType.I32, 32, 8));
        tensors.put("m.weight_scale", tensor(DType.BF16, 32, 1));
        tensors.put("m.weight_zero_point", tensor(DType.I32, 4, 1));
        HostTensor shape = tensor(DType.I64, 2);
        shape.data().set(Elements.LONG, 0, 32);
        shape.data().set(Elements.LONG, 8, 64);
        tensors.put("m.weight_shape", shape);
        assertThat(read(tensors, scheme).out()).isEqualTo(32);
        if (replacement == null) {
            tensors.remove(name);
        } else {
            tensors.put(name, replacement);
        }
        assertThatThrownBy(() -> read(tensors, scheme))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(message);
    }

    private static PackedLinear read(Map<String, HostTensor> tensors, PackedScheme scheme) {
        return scheme.read(name -> Optional.ofNullable(tensors.get(name)), "m");
    }

    private static Map<String, HostTensor> byName(LinearBuilder builder) {
        Map<String, HostTensor> tensors = new HashMap<>();
        builder.tensors().forEach(tensor -> tensors.put(tensor.name(), tensor));
        return tensors;
    }

    private static int word(Map<String, HostTensor> tensors, String name, int index) {
        return Objects.requireNonNull(tensors.get(name)).data().get(Elements.INT, 4L * index);
    }

    private static HostTensor tensor(DType dtype, long... extents) {
        Shape shape = Shape.of(extents);
        return new HostTensor(
                "t", dtype, shape, MemorySegment.ofArray(new byte[(int) dtype.bytes(shape.elementCount())]));
    }
}
