package io.gpuquant.quantize;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * A table of values from -1 to 1, by code, and how the code of the nearest one is found: by the float32 midpoints of
 * neighbours, at which the lower value is taken.
 */
public final class CodeTable {

    /** Four-bit NormalFloat (Dettmers et al., arXiv 2305.14314, appendix E): quantiles of a normal distribution. */
    public static final CodeTable NF4 = new CodeTable(
            -1,
            -0.6961928009986877f,
            -0.5250730514526367f,
            -0.39491748809814453f,
            -0.28444138169288635f,
            -0.18477343022823334f,
            -0.09105003625154495f,
            0,
            0.07958029955625534f,
            0.16093020141124725f,
            0.24611230194568634f,
            0.33791524171829224f,
            0.44070982933044434f,
            0.5626170039176941f,
            0.7229568362236023f,
            1);

    /** The four-bit floats of bitsandbytes: a sign in bit 3, and eight magnitudes that are fractions of 12. */
    public static final CodeTable FP4 = fp4();

    /** The dynamic eight-bit map of bitsandbytes ({@code create_dynamic_map}), for the scales of scales. */
    public static final CodeTable DYNAMIC = dynamic();

    private final float[] values;
    private final int[] order;

    CodeTable(float... values) {
        this.values = values.clone();
        order = IntStream.range(0, values.length)
                .boxed()
                .sorted(Comparator.comparing(code -> values[code]))
                .mapToInt(Integer::intValue)
                .toArray();
    }

    private static CodeTable fp4() {
        float[] magnitudes = {0, 0.0625f / 12, 8f / 12, 1, 4f / 12, 6f / 12, 2f / 12, 3f / 12};
        float[] values = new float[16];
        for (int i = 0; i < 8; i++) {
            values[i] = magnitudes[i];
            values[i + 8] = -magnitudes[i];
        }
        // Zero has two codes; the one without a sign is used, and the other stands for zero too.
        values[8] = 0;
        return new CodeTable(values);
    }

    /** Seven decades; the one with index i has 2^i values on each side, in the middle of equal parts of 0.1 to 1. */
    private static CodeTable dynamic() {
        float[] values = new float[256];
        int count = 0;
        for (int decade = 0; decade < 7; decade++) {
            float scale = (float) Math.pow(10, decade - 6);
            int parts = 1 << decade;
            for (int i = 0; i < parts; i++) {
                float middle = (boundary(i, parts + 1) + boundary(i + 1, parts + 1)) / 2;
                values[count++] = scale * middle;
                values[count++] = -scale * middle;
            }
        }
        values[count++] = 0;
        values[count] = 1;
        Arrays.sort(values);
        return new CodeTable(values);
    }

    /** A number of the row of {@code steps} from 0.1 to 1, as PyTorch's {@code linspace} has it: from the nearer end. */
    private static float boundary(int i, int steps) {
        float step = (1 - 0.1f) / (steps - 1);
        return i < steps / 2 ? Math.fma(step, i, 0.1f) : Math.fma(-step, steps - 1 - i, 1f);
    }

    /** The values by code. */
    public float[] values() {
        return values.clone();
    }

    /** The midpoints of neighbours, ascending. */
    float[] thresholds() {
        float[] thresholds = new float[values.length - 1];
        for (int i = 0; i < thresholds.length; i++) {
            thresholds[i] = (values[order[i]] + values[order[i + 1]]) / 2;
        }
        return thresholds;
    }

    /** The code of a number that is above that many midpoints. */
    byte[] codes() {
        byte[] codes = new byte[order.length];
        for (int i = 0; i < codes.length; i++) {
            codes[i] = (byte) order[i];
        }
        return codes;
    }
}
