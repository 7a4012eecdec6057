package io.gpuquant.tensor;

/** bfloat16: the upper half of a float32. */
public final class BFloat16 {

    /** The NaN that NVIDIA GPUs produce. */
    private static final short CANONICAL_NAN = 0x7fff;

    private BFloat16() {}

    /** The exact float32 value of a bfloat16. */
    public static float toFloat(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    /** The nearest bfloat16, ties to even; every NaN becomes {@code 0x7fff}. */
    public static short fromFloat(float value) {
        if (Float.isNaN(value)) {
            return CANONICAL_NAN;
        }
        int bits = Float.floatToRawIntBits(value);
        return (short) ((bits + 0x7fff + (bits >>> 16 & 1)) >>> 16);
    }
}
