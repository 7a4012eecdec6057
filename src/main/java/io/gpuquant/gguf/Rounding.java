package io.gpuquant.gguf;

/** Rounding as ggml does it. */
final class Rounding {

    /** Adding 1.5 · 2²³ leaves a float32 no bits behind the point. */
    private static final float INTEGERS = 12_582_912f;

    private static final int MANTISSA = 0x007f_ffff;
    private static final int BIAS = 0x0040_0000;

    /** Blocks in which no weight is larger than this are taken for zeros. */
    static final float NEGLIGIBLE = 1e-15f;

    private Rounding() {}

    /**
     * The nearest integer, ties to even. Beyond ±4194303, where a search may ask for nonsense, it is nonsense, but the same as
     * in ggml; NaN gives zero.
     */
    static int nearest(float value) {
        return (Float.floatToRawIntBits(value + INTEGERS) & MANTISSA) - BIAS;
    }

    static int nearest(float value, int least, int most) {
        return Math.max(least, Math.min(most, nearest(value)));
    }

    /** The float16 that a scale is stored as. */
    static short half(float value) {
        return Float.floatToFloat16(value);
    }

    /** What a reader of the file makes of a scale. */
    static float throughHalf(float value) {
        return Float.float16ToFloat(Float.floatToFloat16(value));
    }

    /** Writes a 16-bit word, little-endian. */
    static void putShort(byte[] bytes, int at, int value) {
        bytes[at] = (byte) value;
        bytes[at + 1] = (byte) (value >> 8);
    }
}
