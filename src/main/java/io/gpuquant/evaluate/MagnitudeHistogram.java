package io.gpuquant.evaluate;

/**
 * Counts numbers by magnitude, in bins of equal width on a logarithmic scale: four to an octave, from 2⁻⁴⁸ to 2¹⁶. What is
 * smaller but not zero counts in the first bin, what is larger in the last. It never grows, whatever it counts.
 */
public final class MagnitudeHistogram {

    /** Bins of an octave. */
    public static final int PER_OCTAVE = 4;

    private static final int LOWEST_EXPONENT = -48;
    private static final int HIGHEST_EXPONENT = 16;
    private static final int BINS = (HIGHEST_EXPONENT - LOWEST_EXPONENT) * PER_OCTAVE;
    private static final int MANTISSA_BITS = 23;
    private static final int MANTISSA = (1 << MANTISSA_BITS) - 1;

    /** Mantissas of the float32 nearest to the fourth roots of 2, 4 and 8: where the bins of an octave part. */
    private static final int FIRST = mantissa(1);

    private static final int SECOND = mantissa(2);
    private static final int THIRD = mantissa(3);

    private final long[] counts = new long[BINS];
    private long zeros;

    private static int mantissa(int bin) {
        return Float.floatToIntBits((float) Math.pow(2, (double) bin / PER_OCTAVE)) & MANTISSA;
    }

    /** Counts a finite number. */
    public void add(float value) {
        int bits = Float.floatToIntBits(value) & Integer.MAX_VALUE;
        if (bits == 0) {
            zeros++;
            return;
        }
        int exponent = (bits >>> MANTISSA_BITS) - Float.MAX_EXPONENT;
        int mantissa = bits & MANTISSA;
        int part = (mantissa >= FIRST ? 1 : 0) + (mantissa >= SECOND ? 1 : 0) + (mantissa >= THIRD ? 1 : 0);
        counts[Math.clamp((exponent - LOWEST_EXPONENT) * PER_OCTAVE + part, 0, BINS - 1)]++;
    }

    /** How many bins there are. */
    public int bins() {
        return BINS;
    }

    /** The base-two logarithm of the smallest magnitude of a bin; that of bin {@link #bins} is where the last one ends. */
    public double lowerLog2(int bin) {
        return LOWEST_EXPONENT + (double) bin / PER_OCTAVE;
    }

    /** The numbers in a bin. */
    public long count(int bin) {
        return counts[bin];
    }

    /** How many of the numbers were zero. */
    public long zeros() {
        return zeros;
    }

    /** How many numbers were counted, zeros among them. */
    public long total() {
        long total = zeros;
        for (long count : counts) {
            total += count;
        }
        return total;
    }
}
