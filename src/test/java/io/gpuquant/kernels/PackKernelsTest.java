package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Class A: integers, against bit streams kept as large integers. */
class PackKernelsTest {

    @ParameterizedTest
    @CsvSource({
        "2, 93939393 93939393",
        "3, 43C67543 7543C675 C67543C6",
        "4, 61C72D83 E94FA50B 61C72D83 E94FA50B",
        "8, 120D0803 26211C17 3A35302B 4E49443F 625D5853 76716C67 8A85807B 9E99948F"
    })
    void packsTheSequenceOfThePublishedLayout(int bits, String words) {
        byte[] codes = new byte[32];
        for (int i = 0; i < 32; i++) {
            codes[i] = (byte) ((5 * i + 3) & ((1 << bits) - 1));
        }
        int[] expected = Arrays.stream(words.split(" "))
                .mapToInt(word -> Integer.parseUnsignedInt(word, 16))
                .toArray();

        assertThat(packWeights(1, 32, bits, codes, ascending(32))).isEqualTo(expected);
        assertThat(packZeros(1, 32, bits, 0, codes)).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({
        "2, 1, 55555555",
        "2, 0, AAAAAAAA",
        "3, 1, DB6DB6DB B6DB6DB6 6DB6DB6D",
        "3, 0, 24924924 49249249 92492492",
        "4, 1, 77777777",
        "4, 0, 88888888",
        "8, 1, 7F7F7F7F",
        "8, 0, 80808080"
    })
    void packsTheZeroPointsOfSymmetricGroupsToThePublishedConstants(int bits, int stored, String words) {
        byte[] zeros = new byte[96];
        Arrays.fill(zeros, (byte) (1 << (bits - 1)));
        String[] cycle = words.split(" ");
        int[] expected = IntStream.range(0, 96 * bits / 32)
                .map(word -> Integer.parseUnsignedInt(cycle[word % cycle.length], 16))
                .toArray();

        assertThat(packZeros(1, 96, bits, stored, zeros)).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({"1, 32, 3", "31, 64, 2", "33, 32, 4", "127, 96, 3", "129, 32, 8", "257, 64, 4"})
    void packsCodesInTheOrderOfTheirPositions(int out, int in, int bits) {
        SplittableRandom random = new SplittableRandom(out);
        byte[] codes = randomCodes(random, out * in, bits);
        int[] position = shuffled(random, in);
        int words = in * bits / 32;
        int[] expected = new int[words * out];
        for (int o = 0; o < out; o++) {
            byte[] stream = new byte[in];
            for (int i = 0; i < in; i++) {
                stream[i] = codes[o * in + position[i]];
            }
            int[] column = words(stream, bits);
            for (int word = 0; word < words; word++) {
                expected[word * out + o] = column[word];
            }
        }

        assertThat(packWeights(out, in, bits, codes, position)).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({"1, 32, 3, 1", "3, 64, 2, 0", "2, 1056, 8, 1", "5, 96, 4, 1"})
    void packsZeroPointsModuloTheirBits(int groups, int out, int bits, int stored) {
        byte[] zeros = randomCodes(new SplittableRandom(out), groups * out, bits);
        zeros[0] = 0;
        int words = out * bits / 32;
        int[] expected = new int[groups * words];
        for (int group = 0; group < groups; group++) {
            byte[] stream = new byte[out];
            for (int o = 0; o < out; o++) {
                stream[o] = (byte) ((zeros[group * out + o] - stored) & ((1 << bits) - 1));
            }
            System.arraycopy(words(stream, bits), 0, expected, group * words, words);
        }

        assertThat(packZeros(groups, out, bits, stored, zeros)).isEqualTo(expected);
    }

    @Test
    void refusesValuesThatDoNotFillWords() {
        assertThatThrownBy(() -> packWeights(1, 16, 3, new byte[16], ascending(16)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("16 values of 3 bits do not fill whole words");
    }

    static int[] ascending(int count) {
        return IntStream.range(0, count).toArray();
    }

    static int[] shuffled(SplittableRandom random, int count) {
        int[] order = ascending(count);
        for (int i = count - 1; i > 0; i--) {
            int other = random.nextInt(i + 1);
            int kept = order[i];
            order[i] = order[other];
            order[other] = kept;
        }
        return order;
    }

    static byte[] randomCodes(SplittableRandom random, int count, int bits) {
        byte[] codes = new byte[count];
        for (int i = 0; i < count; i++) {
            codes[i] = (byte) random.nextInt(1 << bits);
        }
        return codes;
    }

    /** The words of a bit stream: value i times 2^(i * bits), summed, in base 2^32. */
    static int[] words(byte[] values, int bits) {
        BigInteger stream = BigInteger.ZERO;
        for (int i = values.length - 1; i >= 0; i--) {
            stream = stream.shiftLeft(bits).or(BigInteger.valueOf(Byte.toUnsignedInt(values[i])));
        }
        int[] words = new int[values.length * bits / 32];
        for (int word = 0; word < words.length; word++) {
            words[word] = stream.shiftRight(32 * word).intValue();
        }
        return words;
    }

    private static int[] packWeights(int out, int in, int bits, byte[] codes, int[] position) {
        return KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix window = rig.emptyWindow(DType.U8, out, in, 1, in + 3);
            rig.fill(window, codes);
            DeviceMatrix packed = rig.empty(DType.I32, in * bits / 32, out);
            rig.pack().packWeights(window, rig.integers(1, in, position), bits, packed);
            return rig.integersOf(packed);
        });
    }

    private static int[] packZeros(int groups, int out, int bits, int stored, byte[] zeros) {
        return KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix window = rig.emptyWindow(DType.U8, groups, out, 1, out + 3);
            rig.fill(window, zeros);
            DeviceMatrix packed = rig.empty(DType.I32, groups, out * bits / 32);
            rig.pack().packZeros(window, stored, bits, packed);
            return rig.integersOf(packed);
        });
    }
}
