package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.safetensors.TestCheckpoints;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.util.HexFormat;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class TensorRangeTest {

    private static Optional<TensorRange> range(DType dtype, String hex) {
        byte[] bytes = HexFormat.of().parseHex(hex.replace(" ", ""));
        return TensorRange.of(TestCheckpoints.bytes("t", dtype, Shape.of(bytes.length * 8L / dtype.bits()), bytes));
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16"})
    void readsTypesOfWeights(DType dtype) {
        HostTensor tensor = TestCheckpoints.tensor(
                "t", dtype, Shape.of(7), -3, 0, -0f, 1.5f, Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY);

        assertThat(TensorRange.of(tensor)).contains(new TensorRange(-3, 1.5, 4.5 / 4, 2, 3));
    }

    /** Values of the OCP specification of 8-bit floating point: the largest, the smallest normal and subnormal, NaN. */
    @ParameterizedTest
    @CsvSource({
        "F8_E4M3, 7e 80 01 7f ff, 0, 448, 1, 2",
        "F8_E4M3, 08 fe, -448, 0.015625, 0, 0",
        "F8_E4M3, 01, 0.001953125, 0.001953125, 0, 0",
        "F8_E5M2, 7b 80 7c fc 7d, 0, 57344, 1, 3",
        "F8_E5M2, 01, 0.0000152587890625, 0.0000152587890625, 0, 0",
        "F8_E5M2, 04, 0.00006103515625, 0.00006103515625, 0, 0",
        "I8, 80 7f 00, -128, 127, 1, 0",
        "U8, 80 7f 00, 0, 128, 1, 0",
        "BOOL, 01 00 00, 0, 1, 2, 0",
        "I16, 0080 ff7f, -32768, 32767, 0, 0",
        "U16, 0080 ff7f, 32767, 32768, 0, 0",
        "I32, ffffffff 05000000, -1, 5, 0, 0",
        "U32, ffffffff 05000000, 5, 4294967295, 0, 0",
        "I64, ffffffffffffffff, -1, -1, 0, 0",
        "U64, 0000000000000080, 9223372036854775808, 9223372036854775808, 0, 0",
        "F64, 000000000000f0bf 000000000000f87f, -1, -1, 0, 1"
    })
    void readsOtherTypes(DType dtype, String hex, double min, double max, long zeros, long nonFinite) {
        TensorRange range = range(dtype, hex).orElseThrow();

        assertThat(range.min()).isEqualTo(min);
        assertThat(range.max()).isEqualTo(max);
        assertThat(range.zeros()).isEqualTo(zeros);
        assertThat(range.nonFinite()).isEqualTo(nonFinite);
    }

    @ParameterizedTest
    @EnumSource(names = {"F4", "F6_E2M3", "F6_E3M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64"})
    void leavesOutTypesThatAreNotRead(DType dtype) {
        assertThat(range(dtype, "00".repeat(24))).isEmpty();
    }

    @Test
    void saysNothingOfNoNumbers() {
        TensorRange range = range(DType.F16, "007e 007c").orElseThrow();

        assertThat(range.min()).isNaN();
        assertThat(range.meanMagnitude()).isNaN();
        assertThat(range.nonFinite()).isEqualTo(2);
        assertThat(range(DType.F32, "").orElseThrow().zeros()).isZero();
    }
}
