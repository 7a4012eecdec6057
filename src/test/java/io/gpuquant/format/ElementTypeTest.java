package io.gpuquant.format;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ElementTypeTest {

    @Test
    void e4m3IsThatOfTheSpecification() {
        assertThat(ElementType.E4M3.value(0x7e)).isEqualTo(448);
        assertThat(ElementType.E4M3.value(0x38)).isEqualTo(1);
        assertThat(ElementType.E4M3.value(0x08)).isEqualTo(0x1p-6f);
        assertThat(ElementType.E4M3.value(0x01)).isEqualTo(0x1p-9f);
        assertThat(ElementType.E4M3.value(0x7f)).isNaN();
        for (int code = 0; code < 0x7e; code++) {
            assertThat(ElementType.E4M3.value(code)).isLessThan(ElementType.E4M3.value(code + 1));
            assertThat(ElementType.E4M3.value(code | 0x80)).isEqualTo(-ElementType.E4M3.value(code));
        }
    }

    @Test
    void e2m1HasEightMagnitudes() {
        float[] magnitudes = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
        for (int code = 0; code < 8; code++) {
            assertThat(ElementType.E2M1.value(code)).isEqualTo(magnitudes[code]);
            assertThat(ElementType.E2M1.value(code | 8)).isEqualTo(-magnitudes[code]);
        }
    }

    @Test
    void e8m0IsAPowerOfTwo() {
        for (int code = 0; code < 255; code++) {
            assertThat((double) ElementType.E8M0.value(code)).isEqualTo(Math.pow(2, code - 127));
        }
        assertThat(ElementType.E8M0.value(255)).isNaN();
    }

    @Test
    void int8IsTwosComplement() {
        assertThat(ElementType.INT8.value(0x80)).isEqualTo(-128);
        assertThat(ElementType.INT8.value(0xff)).isEqualTo(-1);
        assertThat(ElementType.INT8.value(0x7f)).isEqualTo(127);
    }
}
