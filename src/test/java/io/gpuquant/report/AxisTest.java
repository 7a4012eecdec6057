package io.gpuquant.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AxisTest {

    private static String labels(Axis axis, int about) {
        return String.join(" ", axis.ticks(about).stream().map(Numbers::tick).toList());
    }

    @Test
    void ticksAreRoundNumbers() {
        assertThat(labels(Axis.fromZero(11.6), 5)).isEqualTo("0 5 10 15");
        assertThat(labels(Axis.fromZero(0.31), 4)).isEqualTo("0 0.1 0.2 0.3 0.4");
        assertThat(labels(Axis.fromZero(0), 4)).isEqualTo("0 0.5 1");
        assertThat(labels(Axis.indices(4), 6)).contains("0").contains("3");
        assertThat(labels(Axis.indices(1), 6)).startsWith("0");
        assertThat(labels(Axis.around(0.0026, 0.0126), 5)).isEqualTo("0.002 0.005 0.01 0.02");
        assertThat(labels(Axis.around(3e-7, 0.2), 5)).isEqualTo("10⁻⁵ 0.001 0.1");
        assertThat(labels(new Axis(true, 1e-9, 1e3), 4)).isEqualTo("10⁻⁹ 10⁻⁶ 0.001 1 1000");
    }

    @ParameterizedTest
    @CsvSource({"0.0026, 0.0126", "1, 1", "0.2, 0.2", "1e-12, 3", "5, 50"})
    void axisIsAroundItsValues(double smallest, double largest) {
        Axis axis = Axis.around(smallest, largest);

        assertThat(axis.low()).isPositive().isLessThanOrEqualTo(smallest * (1 + 1e-9));
        assertThat(axis.high()).isGreaterThanOrEqualTo(largest * (1 - 1e-9)).isGreaterThan(axis.low());
    }

    @Test
    void positionsAreSharesOfTheLength() {
        assertThat(new Axis(false, 0, 8).position(2)).isEqualTo(0.25);
        assertThat(new Axis(true, 0.001, 10).position(0.01)).isCloseTo(0.25, within(1e-12));
        assertThat(new Axis(true, 0.001, 10).position(100)).isEqualTo(1);
        assertThat(new Axis(false, 0, 8).position(-1)).isZero();
    }

    @Test
    void refusesAxesOfNoLength() {
        assertThatThrownBy(() -> new Axis(false, 1, 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Axis(true, 0, 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Axis(false, Double.NaN, 1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void numbersAreShort() {
        assertThat(Numbers.significant(0.012199, 3)).isEqualTo("0.0122");
        assertThat(Numbers.significant(3.14e-7, 2)).isEqualTo("3.1×10⁻⁷");
        assertThat(Numbers.significant(0, 2)).isEqualTo("0");
        assertThat(Numbers.tick(2e-7)).isEqualTo("2×10⁻⁷");
        assertThat(Numbers.tick(1e7)).isEqualTo("10⁷");
        assertThat(Numbers.coordinate(-0.001)).isEqualTo("0");
    }
}
