package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.CodecKernels.Codec;
import io.gpuquant.kernels.CodecKernels.Scaling;
import io.gpuquant.kernels.CodecKernels.Search;
import io.gpuquant.tensor.BFloat16;
import io.gpuquant.tensor.DType;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Class A: every step rounds once, and is repeated here in Java. */
class CodecKernelsTest {

    private static final int HALVES = 1 << 16;

    private static float[] allHalves(DType dtype) {
        float[] values = new float[HALVES];
        for (int i = 0; i < HALVES; i++) {
            values[i] = dtype == DType.F16 ? Float.float16ToFloat((short) i) : BFloat16.toFloat((short) i);
        }
        return values;
    }

    private static Scaling ones(KernelRig rig) {
        return Scaling.times(rig.floats(1, 1, 1f), Tile.WHOLE);
    }

    @ParameterizedTest
    @EnumSource
    void decodesAllCodes(Codec codec) {
        byte[] codes = new byte[256];
        for (int i = 0; i < 256; i++) {
            codes[i] = (byte) i;
        }

        float[] values = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix target = rig.empty(DType.F32, 1, 256);
            rig.codec().decode(rig.bytes(1, 256, codes), codec, ones(rig), target);
            return rig.floatsOf(target);
        });

        for (int i = 0; i < 256; i++) {
            assertThat(Double.valueOf(values[i]))
                    .as("code %d", i)
                    .isEqualTo(Double.valueOf(CodecOracle.decode(codec, i)));
        }
    }

    @ParameterizedTest
    @CsvSource({"INT8", "E4M3", "E2M1", "E8M0"})
    void encodesAllNumbersOfHalfTypes(Codec codec) {
        for (DType dtype : new DType[] {DType.F16, DType.BF16}) {
            float[] all = allHalves(dtype);

            byte[] codes = KernelRig.fastKernelsAndTwins(rig -> {
                DeviceMatrix values = rig.emptyWindow(dtype, 256, 256, 0, 256);
                byte[] bits = new byte[2 * HALVES];
                for (int i = 0; i < HALVES; i++) {
                    bits[2 * i] = (byte) i;
                    bits[2 * i + 1] = (byte) (i >> 8);
                }
                rig.fill(values, bits);
                DeviceMatrix target = rig.empty(DType.U8, 256, 256);
                rig.codec().encode(values, ones(rig), dtype, codec, 0, target);
                return rig.bytesOf(target);
            });

            for (int i = 0; i < HALVES; i++) {
                // Whether a NaN keeps its sign on its way through the float unit is the machine's choice.
                int sign = Float.isNaN(all[i]) ? codec == Codec.E4M3 ? 0x80 : codec == Codec.E2M1 ? 8 : 0 : 0;
                boolean undefined = Float.isNaN(all[i]) && codec == Codec.INT8;
                if (!undefined && (codes[i] & 255 | sign) != (CodecOracle.encode(codec, all[i]) | sign)) {
                    assertThat(codes[i] & 255).as("%s %h", dtype, i).isEqualTo(CodecOracle.encode(codec, all[i]));
                }
            }
        }
    }

    /** What a number is rounded to on its way from a half type to a half type. */
    private static float rounded(DType dtype, float value) {
        return KernelRun.rounded(dtype, value)[0];
    }

    @ParameterizedTest
    @CsvSource({
        "E4M3, F32, F32, 1, 1, 7, 7",
        "INT8, BF16, BF16, 33, 31, 1, 31",
        "E4M3, F16, F16, 13, 300, 128, 128",
        "E2M1, BF16, F32, 9, 48, 1, 16"
    })
    void encodesOverScalesAndDecodesAgain(
            Codec codec, DType dtype, DType rounding, int rows, int columns, int tileRows, int tileColumns) {
        SplittableRandom random = new SplittableRandom(columns);
        Tile tile = new Tile(tileRows, tileColumns);
        int down = Math.ceilDiv(rows, tileRows);
        int across = Math.ceilDiv(columns, tileColumns);
        float[] values =
                KernelRun.rounded(dtype, Matrices.normal(random, rows * columns, codec == Codec.INT8 ? 90 : 4));
        values[0] = 0;
        float[] scales = new float[down * across];
        for (int i = 0; i < scales.length; i++) {
            scales[i] = (float) random.nextDouble(0.3, 3);
        }
        int zeroCode = codec == Codec.E4M3 ? 0x20 : 0;

        byte[] codes = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix source = rig.emptyWindow(dtype, rows, columns, 3, columns + 5);
            rig.fill(source, KernelRun.encode(dtype, values));
            DeviceMatrix target = rig.emptyWindow(DType.U8, rows, columns, 1, columns + 2);
            rig.codec()
                    .encode(
                            source,
                            Scaling.over(rig.window(down, across, 2, across + 1, scales), tile),
                            rounding,
                            codec,
                            zeroCode,
                            target);
            rig.requireUntouchedAround(target);
            return rig.bytesOf(target);
        });
        float[] decoded = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix target = rig.emptyWindow(dtype, rows, columns, 3, columns + 1);
            rig.codec()
                    .decode(
                            rig.bytes(rows, columns, codes),
                            codec,
                            Scaling.times(rig.floats(down, across, scales), tile),
                            target);
            rig.requireUntouchedAround(target);
            return rig.valuesOf(target);
        });

        for (int i = 0; i < values.length; i++) {
            float scale = scales[i / columns / tileRows * across + i % columns / tileColumns];
            int code = CodecOracle.encode(codec, rounded(rounding, values[i] / scale));
            assertThat(codes[i] & 255).as("element %d", i).isEqualTo(code == 0 ? zeroCode : code);
            float value = (float) CodecOracle.decode(codec, codes[i] & 255) * scale;
            assertThat(decoded[i]).as("element %d", i).isEqualTo(rounded(dtype, value));
        }
    }

    @ParameterizedTest
    @CsvSource({"16, F32, 1, 1, 4", "16, BF16, 1, 200, 64", "256, F32, 33, 31, 8", "256, F16, 5, 300, 256"})
    void findsNumbersInTablesAndTablesInNumbers(int size, DType dtype, int rows, int columns, int block) {
        SplittableRandom random = new SplittableRandom(size + columns);
        Tile tile = Tile.row(block);
        int across = Math.ceilDiv(columns, block);
        float[] table = Matrices.normal(random, size, 0.5);
        Arrays.sort(table);
        float[] thresholds = new float[size - 1];
        byte[] names = new byte[size];
        for (int i = 0; i < size; i++) {
            names[i] = (byte) (i ^ 6);
            if (i > 0) {
                thresholds[i - 1] = (table[i - 1] + table[i]) / 2;
            }
        }
        float[] values = KernelRun.rounded(dtype, Matrices.normal(random, rows * columns, 0.7));
        // One that is at a threshold, and so not above it.
        values[values.length - 1] = rounded(dtype, thresholds[3]);
        float[] scales = new float[rows * across];
        for (int i = 0; i < scales.length - 1; i++) {
            scales[i] = (float) random.nextDouble(0.5, 2);
        }
        scales[scales.length - 1] = 1;
        float offset = 0.0625f;

        byte[] codes = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix source = rig.emptyWindow(dtype, rows, columns, 1, columns + 3);
            rig.fill(source, KernelRun.encode(dtype, values));
            DeviceMatrix target = rig.emptyWindow(DType.U8, rows, columns, 3, columns + 1);
            Search search = new Search(rig.floats(1, size - 1, thresholds), rig.bytes(1, size, names));
            rig.codec().encode(source, offset, Scaling.times(rig.floats(rows, across, scales), tile), search, target);
            rig.requireUntouchedAround(target);
            return rig.bytesOf(target);
        });
        float[] decoded = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix target = rig.emptyWindow(dtype, rows, columns, 3, columns + 1);
            rig.codec()
                    .decode(
                            rig.bytes(rows, columns, codes),
                            rig.floats(1, size, table),
                            Scaling.times(rig.floats(rows, across, scales), tile),
                            offset,
                            target);
            rig.requireUntouchedAround(target);
            return rig.valuesOf(target);
        });

        for (int i = 0; i < values.length; i++) {
            float scale = scales[i / columns * across + i % columns / block];
            float scaled = Math.clamp((values[i] - offset) * scale, -1f, 1f);
            int above = 0;
            for (float threshold : thresholds) {
                above += threshold < scaled ? 1 : 0;
            }
            assertThat(codes[i]).as("element %d", i).isEqualTo(names[above]);
            float value = table[codes[i] & 255] * scale + offset;
            assertThat(decoded[i]).as("element %d", i).isEqualTo(rounded(dtype, value));
        }
    }

    @Test
    void refusesScalesThatDoNotFit() {
        try (KernelRig rig = KernelRig.fast()) {
            DeviceMatrix values = rig.floats(1, 4, 1f, 2f, 3f, 4f);
            DeviceMatrix codes = rig.empty(DType.U8, 1, 4);
            Scaling short1 = Scaling.over(rig.floats(1, 1, 1f), Tile.row(2));
            assertThatThrownBy(() -> rig.codec().encode(values, short1, DType.F32, Codec.INT8, 0, codes))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("is not 1 x 2");
            Search odd = new Search(rig.floats(1, 2, 0f, 1f), rig.bytes(1, 3, new byte[3]));
            Scaling times = Scaling.times(rig.floats(1, 1, 1f), Tile.WHOLE);
            assertThatThrownBy(() -> rig.codec().encode(values, 0, times, odd, codes))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("3 codes");
        }
    }
}
