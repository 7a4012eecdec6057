package io.gpuquant.format;

import io.gpuquant.tensor.DType;

/** The element types of quantized weights and of their scales that are numbers by themselves (OCP MX specification, OCP FP8). */
public enum ElementType {
    /** Two's complement. */
    INT8,
    /** A sign, four bits of exponent with bias 7, three of mantissa; 0x7f and 0xff are NaN, and nothing is infinite. */
    E4M3,
    /** A sign, two bits of exponent with bias 1, one of mantissa: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives. */
    E2M1,
    /** A power of two with bias 127; 0xff is NaN. */
    E8M0;

    /** The value of a code; all are float32 values. */
    public float value(int code) {
        return switch (this) {
            case INT8 -> (byte) code;
            case E4M3 -> small(code, 0x80, 3, 7);
            case E2M1 -> small(code, 8, 1, 1);
            case E8M0 -> code == 0xff ? Float.NaN : Math.scalb(1f, code - 127);
        };
    }

    private static float small(int code, int sign, int mantissaBits, int bias) {
        int magnitude = code & sign - 1;
        if (magnitude == 0x7f) {
            return Float.NaN;
        }
        int leading = 1 << mantissaBits;
        int exponent = magnitude / leading;
        int mantissa = magnitude % leading + (exponent == 0 ? 0 : leading);
        float value = Math.scalb((float) mantissa, Math.max(exponent, 1) - bias - mantissaBits);
        return (code & sign) == 0 ? value : -value;
    }

    /** What a whole byte of this type is called in a file; E2M1 shares its byte and E8M0 is written as U8. */
    DType stored() {
        return switch (this) {
            case INT8 -> DType.I8;
            case E4M3 -> DType.F8_E4M3;
            case E2M1, E8M0 -> DType.U8;
        };
    }
}
