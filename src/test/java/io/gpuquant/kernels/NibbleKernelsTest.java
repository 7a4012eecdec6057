package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.NibbleKernels.Direction;
import io.gpuquant.tensor.DType;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Class A: integers, and one exact product that is rounded once. */
class NibbleKernelsTest {

    private static final int INTERLEAVED = 0x75316420;
    private static final int NATURAL = 0x76543210;

    @Test
    void packsTheGoldenWords() {
        byte[] ascending = {0, 1, 2, 3, 4, 5, 6, 7};
        assertThat(pack(1, 8, ascending, Direction.ALONG_ROWS, NATURAL)).containsExactly(0x76543210);
        assertThat(pack(1, 8, ascending, Direction.ALONG_ROWS, INTERLEAVED)).containsExactly(0x75316420);
        assertThat(pack(8, 1, ascending, Direction.ALONG_COLUMNS, INTERLEAVED)).containsExactly(0x75316420);
    }

    @ParameterizedTest
    @CsvSource({"1, 8, ALONG_ROWS", "33, 24, ALONG_ROWS", "8, 1, ALONG_COLUMNS", "72, 129, ALONG_COLUMNS"})
    void packsInTheOrderOfTheFormatAndUnpacksAgain(int rows, int columns, Direction direction) {
        byte[] values = codes(rows * columns);

        int[] words = pack(rows, columns, values, direction, INTERLEAVED);

        boolean alongRows = direction == Direction.ALONG_ROWS;
        int count = (alongRows ? columns : rows) / 8;
        for (int word = 0; word < words.length; word++) {
            for (int i = 0; i < 8; i++) {
                int packed = word % count * 8 + (INTERLEAVED >>> 4 * i & 15);
                int kept = word / count;
                int value = alongRows ? values[kept * columns + packed] : values[packed * columns + kept];
                assertThat(words[word] >>> 4 * i & 15).isEqualTo(value);
            }
        }
        byte[] unpacked = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix out = rig.emptyWindow(DType.U8, rows, columns, 1, columns + 2);
            rig.nibbles().unpack(rig.integers(words.length / count, count, words), direction, INTERLEAVED, out);
            rig.requireUntouchedAround(out);
            return rig.bytesOf(out);
        });
        assertThat(unpacked).isEqualTo(values);
    }

    private static byte[] codes(int count) {
        SplittableRandom random = new SplittableRandom(count);
        byte[] codes = new byte[count];
        for (int i = 0; i < count; i++) {
            codes[i] = (byte) random.nextInt(16);
        }
        return codes;
    }

    private static int[] pack(int rows, int columns, byte[] values, Direction direction, int order) {
        return KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix window = rig.emptyWindow(DType.U8, rows, columns, 3, columns + 5);
            rig.fill(window, values);
            boolean alongRows = direction == Direction.ALONG_ROWS;
            DeviceMatrix words = rig.empty(DType.I32, alongRows ? rows : columns, (alongRows ? columns : rows) / 8);
            rig.nibbles().pack(window, direction, order, words);
            return rig.integersOf(words);
        });
    }

    @ParameterizedTest
    @CsvSource({
        "1, 4, 4, F32, F16",
        "33, 36, 12, F16, F16",
        "9, 300, 100, BF16, F16",
        "5, 24, 8, F32, F32",
        "3, 12, 4, BF16, F32"
    })
    void computesTheWeightsOfEngines(int out, int in, int groupSize, DType dtype, DType scaleType) {
        SplittableRandom random = new SplittableRandom(in);
        int groups = in / groupSize;
        byte[] codes = codes(out * in);
        byte[] zeros = codes(groups * out);
        short[] halves = new short[groups * out];
        float[] scales = new float[groups * out];
        for (int i = 0; i < scales.length; i++) {
            scales[i] = (float) random.nextDouble(0.001, 0.1);
            halves[i] = Float.floatToFloat16(scales[i]);
            if (scaleType == DType.F16) {
                scales[i] = Float.float16ToFloat(halves[i]);
            }
        }

        float[] weights = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix target = rig.emptyWindow(dtype, out, in, 2, in + 4);
            rig.nibbles()
                    .dequantize(
                            rig.bytes(out, in, codes),
                            scaleType == DType.F16 ? rig.halves(groups, out, halves) : rig.floats(groups, out, scales),
                            rig.bytes(groups, out, zeros),
                            groupSize,
                            target);
            rig.requireUntouchedAround(target);
            return rig.valuesOf(target);
        });

        for (int i = 0; i < weights.length; i++) {
            int grid = i % in / groupSize * out + i / in;
            double exact = (double) scales[grid] * (codes[i] - zeros[grid]);
            assertThat(Math.abs(weights[i] - exact)).isLessThanOrEqualTo(Bounds.rounding(dtype, exact));
        }
    }

    @Test
    void refusesWhatDoesNotFillWords() {
        try (KernelRig rig = KernelRig.fast()) {
            DeviceMatrix values = rig.bytes(1, 12, new byte[12]);
            DeviceMatrix words = rig.integers(1, 1, 0);
            assertThatThrownBy(() -> rig.nibbles().pack(values, Direction.ALONG_ROWS, NATURAL, words))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("does not fill words");
        }
    }
}
