package io.gpuquant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class DTypeTest {

    @Test
    void hasExactlyTheTypesOfTheFormat() {
        // Dtype of safetensors 0.8.0, safetensors/src/tensor.rs, with its bitsize.
        String reference = "BOOL 8,F4 4,F6_E2M3 6,F6_E3M2 6,U8 8,I8 8,F8_E5M2 8,F8_E4M3 8,F8_E8M0 8,F8_E4M3FNUZ 8,"
                + "F8_E5M2FNUZ 8,I16 16,U16 16,F16 16,BF16 16,I32 32,U32 32,F32 32,C64 64,F64 64,I64 64,U64 64";
        Map<String, Integer> expected = Arrays.stream(reference.split(","))
                .map(entry -> entry.split(" "))
                .collect(Collectors.toMap(entry -> entry[0], entry -> Integer.valueOf(entry[1])));

        Map<String, Integer> actual = Arrays.stream(DType.values()).collect(Collectors.toMap(DType::name, DType::bits));

        assertThat(new TreeMap<>(actual)).isEqualTo(new TreeMap<>(expected));
    }

    @ParameterizedTest
    @EnumSource
    void isFoundByItsName(DType type) {
        assertThat(DType.named(type.name())).contains(type);
    }

    @Test
    void knowsNoOtherNames() {
        assertThat(DType.named("f32")).isEmpty();
        assertThat(DType.named("")).isEmpty();
        assertThat(DType.named("F128")).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(names = {"F4", "F6_E2M3", "F6_E3M2"})
    void refusesToSayTheBytesOfOneElementOfASubByteType(DType type) {
        assertThatThrownBy(type::bytes)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining(type.name());
    }

    @ParameterizedTest
    @CsvSource({"BOOL,1", "I8,1", "F8_E4M3,1", "BF16,2", "F16,2", "I32,4", "F32,4", "C64,8", "I64,8"})
    void saysTheBytesOfOneElement(DType type, int bytes) {
        assertThat(type.bytes()).isEqualTo(bytes);
    }

    @ParameterizedTest
    @CsvSource({"F4,0,0", "F4,2,1", "F4,6,3", "F6_E2M3,4,3", "F6_E3M2,8,6", "BF16,3,6", "F64,1,8", "U8,0,0"})
    void saysTheBytesOfManyElements(DType type, long elements, long bytes) {
        assertThat(type.bytes(elements)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @CsvSource({"F4,1", "F4,7", "F6_E2M3,1", "F6_E2M3,2", "F6_E3M2,3", "U8,2305843009213693952"})
    void refusesElementsThatFillNoWholeBytesOrOverflow(DType type, long elements) {
        assertThatThrownBy(() -> type.bytes(elements)).isInstanceOf(ArithmeticException.class);
    }

    @Test
    void tellsFloatsAndComputeTypesFromTheRest() {
        assertThat(Arrays.stream(DType.values()).filter(DType::isComputeType))
                .containsExactlyInAnyOrder(DType.F32, DType.F16, DType.BF16);
        assertThat(Arrays.stream(DType.values()).filter(type -> !type.isFloat()))
                .containsExactlyInAnyOrder(
                        DType.BOOL,
                        DType.U8,
                        DType.I8,
                        DType.U16,
                        DType.I16,
                        DType.U32,
                        DType.I32,
                        DType.U64,
                        DType.I64,
                        DType.C64);
    }
}
