package io.gpuquant.kernels.selftest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DeviationTest {

    private static final Case CASE = bench -> List.of();

    private static Output floats(float... values) {
        return new Output("values", DType.F32, MemorySegment.ofArray(values), Tolerance.NONE);
    }

    private static Deviation compare(Output actual, Output expected) {
        Deviation deviation = new Deviation();
        deviation.add(CASE, List.of(actual), List.of(expected));
        return deviation;
    }

    @Test
    void equalBitsAndAnyTwoNansAreRight() {
        Deviation deviation =
                compare(floats(1, -0f, Float.intBitsToFloat(0x7fc00001)), floats(1, -0f, Float.intBitsToFloat(-1)));
        assertThat(deviation.fault()).isNull();
        assertThat(deviation.largest()).isZero();
    }

    @ParameterizedTest
    @CsvSource({"0, -0", "1, 1.0000001", "NaN, 1", "Infinity, 3e38", "-Infinity, Infinity"})
    void anyOtherBitIsWrongWhereNoneMayDiffer(float actual, float expected) {
        Deviation deviation = compare(floats(5, actual), floats(5, expected));
        assertThat(deviation.fault()).contains("1 of 2 elements of its values are wrong, the first of them, number 1");
        assertThat(deviation.ofAllowed()).isInfinite();
    }

    @ParameterizedTest
    @CsvSource({"1.5, true", "0.5, true", "1.51, false", "NaN, false", "Infinity, false"})
    void differencesWithinTheToleranceAreRight(float actual, boolean right) {
        Deviation deviation = compare(floats(actual), floats(1).within((element, expected) -> 0.5));
        assertThat(deviation.fault() == null).isEqualTo(right);
        assertThat(deviation.ofAllowed() <= 1).isEqualTo(right);
    }

    @Test
    void toleranceOfTheReferenceCountsElementByElement() {
        Output expected = floats(1, 1, 1).within((element, value) -> element == 1 ? Double.POSITIVE_INFINITY : 0);
        assertThat(compare(floats(1, Float.NaN, 1), expected).fault()).isNull();
        assertThat(compare(floats(1, 7, 2).within((element, value) -> 10), expected)
                        .fault())
                .contains("number 2, is 2.00000000 instead of 1.00000000");
    }

    @Test
    void numbersOfAnotherTypeAreComparedByValue() {
        assertThat(compare(floats(1, 2), Output.of("values", 1.0, 2.0)).fault()).isNull();
        assertThat(compare(floats(1, 2), Output.of("values", 1.0, 2.5)).fault()).contains("number 1");
        assertThat(compare(Output.of("count", 3L), Output.of("count", 4L)).fault())
                .contains("is 3 instead of 4");
    }

    @Test
    void firstFaultAndLargestDeviationOfAllCasesAreKept() {
        Deviation deviation = new Deviation();
        deviation.add(CASE, List.of(floats(2)), List.of(floats(1)));
        deviation.add(CASE, List.of(floats(9)), List.of(floats(1)));
        assertThat(deviation.fault()).contains("is 2.0");
        assertThat(deviation.largest()).isEqualTo(8);
    }

    @Test
    void toleranceOfATypeIsItsUnitInTheLastPlaceAndMore() {
        assertThat(Tolerance.of(0, 0, DType.F16).allowed(0, -1)).isEqualTo(0x1p-10);
        assertThat(Tolerance.of(0, 0, DType.F16).allowed(0, 0)).isEqualTo(0x1p-24);
        assertThat(Tolerance.of(0, 0, DType.BF16).allowed(0, 4)).isEqualTo(0x1p-5);
        assertThat(Tolerance.of(0.5, 3, DType.F32).allowed(0, 2)).isEqualTo(4 + 0x1p-22);
    }

    @Test
    void outputsThatCannotBeComparedAreAFaultOfTheTest() {
        assertThatIllegalArgumentException().isThrownBy(() -> compare(floats(1), floats(1, 2)));
        assertThatIllegalArgumentException().isThrownBy(() -> new Deviation().add(CASE, List.of(), List.of(floats(1))));
        assertThatIllegalArgumentException().isThrownBy(() -> Check.exact("nothing", List.of()));
    }
}
