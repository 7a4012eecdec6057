package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.BFloat16;
import io.gpuquant.tensor.DType;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Class A: a product that is exact in float32, rounded once. */
class DequantizeTest {

    @ParameterizedTest
    @CsvSource({
        // out, in, groups, bits, stored, type, offset of words in elements
        "32, 32, 1, 4, 1, F16, 0",
        "32, 96, 3, 3, 1, F32, 0",
        "64, 288, 5, 3, 0, BF16, 1",
        "16, 48, 2, 2, 0, F16, 2",
        "4, 260, 7, 8, 1, F32, 0",
        "72, 264, 3, 4, 0, BF16, 3"
    })
    void givesTheWeightsThatWordsStandFor(
            int out, int in, int groups, int bits, int stored, DType type, int wordOffset) {
        SplittableRandom random = new SplittableRandom(in);
        byte[] codes = PackKernelsTest.randomCodes(random, out * in, bits);
        byte[] zeros = PackKernelsTest.randomCodes(random, groups * out, bits);
        int[] groupOf = random.ints(in, 0, groups).toArray();
        short[] scales = new short[groups * out];
        for (int i = 0; i < scales.length; i++) {
            scales[i] = Float.floatToFloat16((float) random.nextDouble(1e-6, 0.1));
        }

        float[] expected = new float[out * in];
        for (int o = 0; o < out; o++) {
            for (int i = 0; i < in; i++) {
                int at = groupOf[i] * out + o;
                int zero = (Byte.toUnsignedInt(zeros[at]) + stored) & ((1 << bits) - 1);
                float value = Float.float16ToFloat(scales[at]) * (Byte.toUnsignedInt(codes[o * in + i]) - zero);
                expected[o * in + i] = rounded(value, type);
            }
        }
        int[] words = wordsOf(codes, out, in, bits);
        int[] zeroWords = new int[groups * out * bits / 32];
        for (int group = 0; group < groups; group++) {
            byte[] stream = java.util.Arrays.copyOfRange(zeros, group * out, (group + 1) * out);
            System.arraycopy(
                    PackKernelsTest.words(stream, bits), 0, zeroWords, group * out * bits / 32, out * bits / 32);
        }

        float[] actual = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix packed = rig.emptyWindow(DType.I32, in * bits / 32, out, wordOffset, out);
            rig.fill(packed, words);
            DeviceMatrix weights = rig.emptyWindow(type, out, in, 1, in + 3);
            rig.pack()
                    .dequantize(
                            new PackKernels.PackedLinear(
                                    packed,
                                    rig.integers(groups, out * bits / 32, zeroWords),
                                    rig.halves(groups, out, scales),
                                    rig.integers(1, in, groupOf),
                                    bits,
                                    stored),
                            weights);
            rig.requireUntouchedAround(weights);
            return rig.valuesOf(weights);
        });
        assertThat(actual).isEqualTo(expected);
    }

    @Test
    void undoesWhatPackingDid() {
        int out = 32;
        int in = 64;
        SplittableRandom random = new SplittableRandom(8);
        for (int bits : new int[] {2, 3, 4, 8}) {
            byte[] codes = PackKernelsTest.randomCodes(random, out * in, bits);
            byte[] zeros = PackKernelsTest.randomCodes(random, out, bits);
            zeros[3] = 0;
            short[] ones = new short[out];
            java.util.Arrays.fill(ones, Float.floatToFloat16(1));
            int finalBits = bits;
            float[] actual = KernelRig.kernelsAndTwins(rig -> {
                DeviceMatrix packed = rig.empty(DType.I32, in * finalBits / 32, out);
                DeviceMatrix packedZeros = rig.empty(DType.I32, 1, out * finalBits / 32);
                DeviceMatrix weights = rig.empty(DType.F32, out, in);
                PackKernels kernels = rig.pack();
                DeviceMatrix order = rig.integers(1, in, PackKernelsTest.ascending(in));
                kernels.packWeights(rig.bytes(out, in, codes), order, finalBits, packed);
                kernels.packZeros(rig.bytes(1, out, zeros), 1, finalBits, packedZeros);
                kernels.dequantize(
                        new PackKernels.PackedLinear(
                                packed,
                                packedZeros,
                                rig.halves(1, out, ones),
                                rig.integers(1, in, new int[in]),
                                finalBits,
                                1),
                        weights);
                return rig.floatsOf(weights);
            });
            for (int i = 0; i < actual.length; i++) {
                assertThat(actual[i]).isEqualTo(Byte.toUnsignedInt(codes[i]) - Byte.toUnsignedInt(zeros[i / in]));
            }
        }
    }

    private static int[] wordsOf(byte[] codes, int out, int in, int bits) {
        int rows = in * bits / 32;
        int[] words = new int[rows * out];
        for (int o = 0; o < out; o++) {
            int[] column = PackKernelsTest.words(java.util.Arrays.copyOfRange(codes, o * in, (o + 1) * in), bits);
            for (int row = 0; row < rows; row++) {
                words[row * out + o] = column[row];
            }
        }
        return words;
    }

    private static float rounded(float value, DType type) {
        return switch (type) {
            case F16 -> Float.float16ToFloat(Float.floatToFloat16(value));
            case BF16 -> BFloat16.toFloat(BFloat16.fromFloat(value));
            default -> value;
        };
    }
}
