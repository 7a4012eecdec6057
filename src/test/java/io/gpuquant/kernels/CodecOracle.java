package io.gpuquant.kernels;

import io.gpuquant.kernels.CodecKernels.Codec;

/** Narrow element types by their definitions: the value of every code, and for a number the code of the nearest value. */
final class CodecOracle {

    private static final double[] E2M1 = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
    private static final int E4M3_NAN = 0x7f;
    private static final int E8M0_NAN = 0xff;

    private CodecOracle() {}

    static double decode(Codec codec, int code) {
        return switch (codec) {
            case INT8 -> (byte) code;
            case E4M3 -> (code & 0x80) == 0 ? e4m3(code) : -e4m3(code & 0x7f);
            case E2M1 -> (code & 8) == 0 ? E2M1[code & 7] : -E2M1[code & 7];
            case E8M0 -> code == E8M0_NAN ? Double.NaN : Math.scalb(1.0, code - 127);
        };
    }

    private static double e4m3(int code) {
        int exponent = code >> 3;
        int mantissa = code & 7;
        if (code == E4M3_NAN) {
            return Double.NaN;
        }
        return exponent == 0 ? Math.scalb(mantissa, -9) : Math.scalb(8 + mantissa, exponent - 10);
    }

    static int encode(Codec codec, float value) {
        boolean negative = Float.floatToRawIntBits(value) < 0;
        return switch (codec) {
            case INT8 -> (int) Math.clamp(Math.rint(value), -128, 127) & 255;
            case E4M3 ->
                Float.isNaN(value)
                        ? negative ? 0xff : E4M3_NAN
                        : nearest(codec, Math.abs(value), E4M3_NAN - 1) | (negative ? 0x80 : 0);
            case E2M1 -> (Float.isNaN(value) ? 0 : nearest(codec, Math.abs(value), 7)) | (negative ? 8 : 0);
            case E8M0 -> exponent(Math.abs(value));
        };
    }

    /** Of the codes 0 to {@code last}, whose values ascend; an even one where two are as near. */
    private static int nearest(Codec codec, double value, int last) {
        double saturated = Math.min(value, decode(codec, last));
        int best = 0;
        for (int code = 1; code <= last; code++) {
            double here = Math.abs(saturated - decode(codec, code));
            double there = Math.abs(saturated - decode(codec, best));
            if (here < there || here == there && code % 2 == 0) {
                best = code;
            }
        }
        return best;
    }

    /** Below the smallest normal number mantissas have no leading one, and the same bits decide. */
    private static int exponent(float magnitude) {
        if (Float.isNaN(magnitude)) {
            return E8M0_NAN;
        }
        int biased = Math.getExponent(magnitude) + 127;
        if (biased == 0) {
            return magnitude >= 0.75f * Float.MIN_NORMAL ? 1 : 0;
        }
        double mantissa = Math.scalb((double) magnitude, 127 - biased);
        return Math.min(254, mantissa >= 1.75 ? biased + 1 : biased);
    }
}
