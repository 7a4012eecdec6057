package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.InputException;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class NormFoldTest {

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "F16", "BF16"})
    void givesLinearsWhatTheNormWasReallyDividedBy(DType dtype) {
        float[] norm = {1, -0.5f, 0.875f, 2};
        float[] scales = {3, 0.7f, 1.1f, 0.3f};

        NormFold fold = NormFold.of(norm, scales, dtype);

        for (int i = 0; i < norm.length; i++) {
            assertThat(Elements.floatAt(fold.bytes(), dtype, i)).isEqualTo(fold.values()[i]);
            double product = (double) fold.values()[i] * fold.scales()[i];
            assertThat(Math.abs(product / norm[i] - 1)).isLessThan(0x1p-22);
            assertThat(Math.abs(fold.scales()[i] / scales[i] - 1)).isLessThan(dtype == DType.BF16 ? 0x1p-7f : 0x1p-10f);
        }
    }

    @Test
    void leavesAloneWhatCannotBeDivided() {
        // A zero, a quotient above the largest F16, and one below the least.
        float[] norm = {0, 60_000, 1e-7f, 1};
        NormFold fold = NormFold.of(norm, new float[] {2, 0.01f, 1000, 2}, DType.F16);

        assertThat(fold.scales()).containsExactly(1, 1, 1, 2);
        assertThat(fold.values()[0]).isZero();
        assertThat(fold.values()[1]).isEqualTo(60_000);
        assertThat(fold.values()[3]).isEqualTo(0.5f);
    }

    @Test
    void keepsTheBytesWhereThereAreNoScales() {
        NormFold fold = NormFold.of(new float[] {1.5f, -2}, null, DType.BF16);
        assertThat(fold.scales()).containsExactly(1, 1);
        assertThat(Elements.floatAt(fold.bytes(), DType.BF16, 1)).isEqualTo(-2);
    }

    @Test
    void refusesABiasThatOutgrowsItsType() {
        assertThat(NormFold.ofBias(new float[] {3}, new float[] {2}, DType.F16, "b")
                        .values())
                .containsExactly(1.5f);
        assertThatThrownBy(() -> NormFold.ofBias(new float[] {1, 4e4f}, new float[] {1, 0.5f}, DType.F16, "v.bias"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("v.bias")
                .hasMessageContaining("element 1")
                .hasMessageContaining("F16");
    }
}
