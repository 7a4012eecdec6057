package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.BitStreamKernels.Words;
import io.gpuquant.tensor.DType;
import java.math.BigInteger;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Class A: integers, against bit streams kept as large integers. */
class BitStreamKernelsTest {

    @Test
    void packsTheGoldenWordsOfCompressedTensors() {
        byte[] ascending = new byte[16];
        for (int i = 0; i < 16; i++) {
            ascending[i] = (byte) i;
        }
        assertThat(pack(1, 16, 4, Words.IN_ROWS, ascending, null)).containsExactly(0x76543210, 0xfedcba98);
        assertThat(pack(1, 16, 4, Words.IN_COLUMNS, ascending, null)).containsExactly(0x76543210, 0xfedcba98);
    }

    @ParameterizedTest
    @CsvSource({
        // rows, columns, bits, words, whether the values are in another order
        "1, 1, 1, IN_ROWS, false",
        "3, 33, 2, IN_ROWS, true",
        "33, 31, 3, IN_ROWS, true",
        "2, 300, 3, IN_COLUMNS, false",
        "129, 24, 4, IN_ROWS, true",
        "5, 40, 4, IN_COLUMNS, false",
        "7, 13, 5, IN_ROWS, false",
        "9, 29, 6, IN_COLUMNS, false",
        "4, 65, 7, IN_ROWS, true",
        "3, 130, 8, IN_ROWS, false",
        "6, 7, 8, IN_COLUMNS, true"
    })
    void packsStreamsAndUnpacksThemAgain(int rows, int columns, int bits, Words direction, boolean permuted) {
        SplittableRandom random = new SplittableRandom(31L * columns + bits);
        byte[] values = PackKernelsTest.randomCodes(random, rows * columns, bits);
        int[] position = permuted ? PackKernelsTest.shuffled(random, columns) : PackKernelsTest.ascending(columns);
        byte[] ordered = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            ordered[i] = values[i / columns * columns + position[i % columns]];
        }
        int count = BitStreamKernels.words(columns, bits);

        int[] words = pack(rows, columns, bits, direction, values, permuted ? position : null);

        for (int row = 0; row < rows; row++) {
            BigInteger stream = BigInteger.ZERO;
            for (int column = columns - 1; column >= 0; column--) {
                int value = Byte.toUnsignedInt(ordered[row * columns + column]);
                stream = stream.shiftLeft(bits).or(BigInteger.valueOf(value));
            }
            for (int word = 0; word < count; word++) {
                int at = direction == Words.IN_ROWS ? row * count + word : word * rows + row;
                assertThat(words[at]).isEqualTo(stream.shiftRight(32 * word).intValue());
            }
        }
        byte[] unpacked = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix out = rig.emptyWindow(DType.U8, rows, columns, 1, columns + 2);
            boolean inRows = direction == Words.IN_ROWS;
            rig.bitStreams()
                    .unpack(rig.integers(inRows ? rows : count, inRows ? count : rows, words), bits, direction, out);
            rig.requireUntouchedAround(out);
            return rig.bytesOf(out);
        });
        assertThat(unpacked).isEqualTo(ordered);
    }

    @Test
    void refusesWordsThatDoNotHoldTheValues() {
        try (KernelRig rig = KernelRig.fast()) {
            DeviceMatrix values = rig.bytes(1, 12, new byte[12]);
            DeviceMatrix words = rig.integers(1, 1, 0);
            assertThatThrownBy(() -> rig.bitStreams().pack(values, null, 4, Words.IN_ROWS, words))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("is not 1 x 2");
            assertThatThrownBy(() -> rig.bitStreams().unpack(words, 9, Words.IN_ROWS, values))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("9 bits");
        }
    }

    private static int[] pack(
            int rows, int columns, int bits, Words direction, byte[] values, int @Nullable [] position) {
        return KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix window = rig.emptyWindow(DType.U8, rows, columns, 3, columns + 5);
            rig.fill(window, values);
            int count = BitStreamKernels.words(columns, bits);
            boolean inRows = direction == Words.IN_ROWS;
            DeviceMatrix words = rig.empty(DType.I32, inRows ? rows : count, inRows ? count : rows);
            DeviceMatrix order = position == null ? null : rig.integers(1, columns, position);
            rig.bitStreams().pack(window, order, bits, direction, words);
            return rig.integersOf(words);
        });
    }
}
