package io.gpuquant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class NonFiniteTest {

    /** Every number of 16 bits, in every place of eight bytes and behind them. */
    @ParameterizedTest
    @EnumSource(names = {"F16", "BF16"})
    void tellsAllNumbersOf16Bits(DType dtype) {
        MemorySegment data = MemorySegment.ofArray(new short[6]);
        for (int bits = 0; bits <= 0xFFFF; bits++) {
            int at = bits % 6;
            data.fill((byte) 0x7B);
            data.set(Elements.SHORT, 2 * at, (short) bits);
            boolean finite = Float.isFinite(Elements.floatAt(data, dtype, at));
            assertThat(NonFinite.first(data, dtype).orElse(-1)).isEqualTo(finite ? -1 : at);
        }
    }

    @Test
    void tellsNumbersOf32Bits() {
        SplittableRandom random = new SplittableRandom(5);
        MemorySegment data = MemorySegment.ofArray(new float[3]);
        for (int i = 0; i < 20_000; i++) {
            // Half of them with an exponent of ones, and some of those infinite.
            int bits = random.nextInt() | (i % 2 == 0 ? 0x7F80_0000 : 0);
            int at = i % 3;
            data.fill((byte) 0xFE);
            data.set(Elements.INT, 4 * at, i % 8 == 0 ? bits & 0xFF80_0000 : bits);
            boolean finite = Float.isFinite(Elements.floatAt(data, DType.F32, at));
            assertThat(NonFinite.first(data, DType.F32).orElse(-1)).isEqualTo(finite ? -1 : at);
        }
    }

    @Test
    void namesTheFirstOfSeveralThatDifferentThreadsFind() {
        int count = 5 << 21;
        try (Arena arena = Arena.ofShared()) {
            MemorySegment data = arena.allocate(2L * count);
            assertThat(NonFinite.first(data, DType.BF16)).isEmpty();
            for (int at : new int[] {count - 1, 3 << 21, (1 << 21) + 7}) {
                Elements.setFloat(data, DType.BF16, at, Float.NEGATIVE_INFINITY);
                assertThat(NonFinite.first(data, DType.BF16)).hasValue(at);
            }
        }
    }

    @Test
    void knowsComputeTypesOnly() {
        assertThat(NonFinite.first(MemorySegment.NULL, DType.F32)).isEmpty();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> NonFinite.first(MemorySegment.NULL, DType.I32))
                .withMessage("I32 is not a compute type");
    }
}
