package io.gpuquant.format;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class BitStreamTest {

    /** Words that GPTQModel packs from the values (5 i + 3) mod 2^bits, and of the zero points of symmetric checkpoints. */
    static Stream<Arguments> published() {
        return Stream.of(
                Arguments.of(2, "93939393 93939393"),
                Arguments.of(3, "43C67543 7543C675 C67543C6"),
                Arguments.of(4, "61C72D83 E94FA50B 61C72D83 E94FA50B"),
                Arguments.of(8, "120D0803 26211C17 3A35302B 4E49443F 625D5853 76716C67 8A85807B 9E99948F"));
    }

    @ParameterizedTest
    @MethodSource("published")
    void readsPublishedWords(int bits, String words) {
        BitStream stream = new BitStream(MemorySegment.ofArray(parse(words)), 0, 1, bits);

        for (int i = 0; i < 32; i++) {
            assertThat(stream.value(i)).as("value %d", i).isEqualTo((5 * i + 3) & ((1 << bits) - 1));
        }
    }

    static Stream<Arguments> symmetricZeros() {
        return Stream.of(
                Arguments.of(2, "55555555", "AAAAAAAA"),
                Arguments.of(3, "DB6DB6DB B6DB6DB6 6DB6DB6D", "24924924 49249249 92492492"),
                Arguments.of(4, "77777777", "88888888"),
                Arguments.of(8, "7F7F7F7F", "80808080"));
    }

    @ParameterizedTest
    @MethodSource("symmetricZeros")
    void readsTheZeroPointsOfSymmetricCheckpoints(int bits, String first, String second) {
        int middle = 1 << (bits - 1);
        int values = bits == 3 ? 32 : 32 / bits;

        for (int i = 0; i < values; i++) {
            assertThat(new BitStream(MemorySegment.ofArray(parse(first)), 0, 1, bits).value(i) + 1)
                    .isEqualTo(middle);
            assertThat(new BitStream(MemorySegment.ofArray(parse(second)), 0, 1, bits).value(i))
                    .isEqualTo(middle);
        }
    }

    @ParameterizedTest
    @MethodSource("published")
    void readsAStreamWhoseWordsLieApart(int bits, String words) {
        int[] dense = parse(words);
        int[] spread = new int[dense.length * 5 + 2];
        Arrays.fill(spread, -1);
        for (int i = 0; i < dense.length; i++) {
            spread[2 + 5 * i] = dense[i];
        }
        BitStream stream = new BitStream(MemorySegment.ofArray(spread), 2, 5, bits);

        assertThat(stream.value(31)).isEqualTo((5 * 31 + 3) & ((1 << bits) - 1));
        assertThat(stream.value(10)).isEqualTo((5 * 10 + 3) & ((1 << bits) - 1));
    }

    private static int[] parse(String words) {
        return Arrays.stream(words.split(" "))
                .mapToInt(word -> HexFormat.fromHexDigits(word))
                .toArray();
    }
}
