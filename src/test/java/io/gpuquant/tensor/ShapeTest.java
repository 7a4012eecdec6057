package io.gpuquant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class ShapeTest {

    @Test
    void countsElements() {
        assertThat(Shape.of(2, 3, 4).elementCount()).isEqualTo(24);
        assertThat(Shape.of(1L << 31, 1L << 31).elementCount()).isEqualTo(1L << 62);
    }

    @Test
    void hasOneElementWithoutExtents() {
        assertThat(Shape.of().elementCount()).isEqualTo(1);
        assertThat(Shape.of().rank()).isZero();
    }

    @Test
    void isEmptyWithAZeroExtentHoweverLargeTheOthers() {
        assertThat(Shape.of(3, 0).elementCount()).isZero();
        assertThat(Shape.of(Long.MAX_VALUE, Long.MAX_VALUE, 0).elementCount()).isZero();
    }

    @Test
    void refusesToCountBeyondALong() {
        assertThatThrownBy(() -> Shape.of(1L << 32, 1L << 31).elementCount()).isInstanceOf(ArithmeticException.class);
    }

    @Test
    void refusesNegativeExtents() {
        assertThatThrownBy(() -> Shape.of(2, -1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("[2, -1]");
    }

    @Test
    void givesItsExtents() {
        Shape shape = Shape.of(5, 7);

        assertThat(shape.rank()).isEqualTo(2);
        assertThat(shape.extent(0)).isEqualTo(5);
        assertThat(shape.extent(1)).isEqualTo(7);
        assertThat(shape.extents()).containsExactly(5, 7);
        assertThat(shape).hasToString("[5, 7]");
    }

    @Test
    void doesNotChangeWithTheArraysItCameFromOrGave() {
        long[] given = {5, 7};
        Shape shape = Shape.of(given);
        given[0] = 1;
        shape.extents()[1] = 1;

        assertThat(shape.extents()).containsExactly(5, 7);
    }

    @Test
    void equalsAShapeOfTheSameExtentsOnly() {
        assertThat(Shape.of(2, 3)).isEqualTo(Shape.of(2, 3)).hasSameHashCodeAs(Shape.of(2, 3));
        assertThat(Shape.of(2, 3))
                .isNotEqualTo(Shape.of(3, 2))
                .isNotEqualTo(Shape.of(2, 3, 1))
                .isNotEqualTo("[2, 3]");
    }
}
