package io.gpuquant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class ElementsTest {

    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16"})
    void readsBackWhatTheTypeHoldsExactlyAtAnyAlignment(DType type) {
        float[] values = {0, -0f, 1, -2.5f, 0.15625f, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN};
        MemorySegment data = MemorySegment.ofArray(new byte[values.length * type.bytes() + 1])
                .asSlice(1);
        for (int i = 0; i < values.length; i++) {
            Elements.setFloat(data, type, i, values[i]);
        }

        assertThat(Elements.toFloats(new HostTensor("x", type, Shape.of(values.length), data)))
                .containsExactly(values);
        assertThat(Elements.floatAt(data, type, 3)).isEqualTo(-2.5f);
    }

    @ParameterizedTest
    @CsvSource({"F32,0000803f", "F16,003c", "BF16,803f"})
    void storesOneInLittleEndianOrder(DType type, String hex) {
        MemorySegment data = MemorySegment.ofArray(new byte[type.bytes()]);

        Elements.setFloat(data, type, 0, 1);

        assertThat(HexFormat.of().formatHex(data.toArray(ValueLayout.JAVA_BYTE)))
                .isEqualTo(hex);
    }

    @ParameterizedTest
    @CsvSource({
        // Halfway between two neighbours: to the even one.
        "F16,0x1.002p0,0x1.0p0",
        "F16,0x1.006p0,0x1.008p0",
        "BF16,0x1.01p0,0x1.0p0",
        "BF16,0x1.03p0,0x1.04p0",
        // Half of the smallest subnormal, and a little more.
        "F16,0x1p-25,0",
        "F16,0x1.8p-25,0x1p-24",
        "F16,65519,65504",
        "F16,65520,Infinity",
        "F32,0x1.000002p0,0x1.000002p0"
    })
    void roundsToNearestEven(DType type, float value, float stored) {
        MemorySegment data = MemorySegment.ofArray(new byte[type.bytes()]);

        Elements.setFloat(data, type, 0, value);

        assertThat(Elements.floatAt(data, type, 0)).isEqualTo(stored);
    }

    @ParameterizedTest
    @EnumSource(
            mode = EnumSource.Mode.EXCLUDE,
            names = {"F32", "F16", "BF16"})
    void refusesTypesThatAreNotComputedWith(DType type) {
        MemorySegment data = MemorySegment.ofArray(new byte[24]);
        HostTensor tensor = new HostTensor("x", type, Shape.of(192 / type.bits()), data);

        assertThatThrownBy(() -> Elements.floatAt(data, type, 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(type.name());
        assertThatThrownBy(() -> Elements.setFloat(data, type, 0, 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Elements.toFloats(tensor)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    @SuppressWarnings("restricted")
    void refusesMoreElementsThanAnArrayHolds() {
        // Address space without memory behind it: nothing may be read from it.
        MemorySegment nothing = MemorySegment.NULL.reinterpret(2L << 31);
        HostTensor tensor = new HostTensor("x", DType.F16, Shape.of(1L << 31), nothing);

        assertThatThrownBy(() -> Elements.toFloats(tensor))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("2147483648");
    }

    @Test
    void integerLayoutsAreLittleEndianAndUnaligned() {
        MemorySegment data =
                MemorySegment.ofArray(new byte[] {0, 1, 2, 3, 4, 5, 6, 7, 8}).asSlice(1);

        assertThat(data.get(Elements.SHORT, 0)).isEqualTo((short) 0x0201);
        assertThat(data.get(Elements.INT, 0)).isEqualTo(0x04030201);
        assertThat(data.get(Elements.LONG, 0)).isEqualTo(0x0807060504030201L);
    }
}
