package io.gpuquant.calibration;

/**
 * The SplitMix64 generator (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014),
 * written out so that a choice made with a seed is the same on every Java version.
 */
final class SplitMix64 {

    private long state;

    SplitMix64(long seed) {
        this.state = seed;
    }

    /** The next 64 bits. */
    long next() {
        state += 0x9e3779b97f4a7c15L;
        long mixed = state;
        mixed = (mixed ^ (mixed >>> 30)) * 0xbf58476d1ce4e5b9L;
        mixed = (mixed ^ (mixed >>> 27)) * 0x94d049bb133111ebL;
        return mixed ^ (mixed >>> 31);
    }

    /** A number from 0 to {@code bound - 1}, all equally likely: the remainder of 63 bits, drawn again when it would be biased. */
    long below(long bound) {
        if (bound < 1) {
            throw new IllegalArgumentException("bound " + bound + " is not positive");
        }
        while (true) {
            long bits = next() >>> 1;
            long remainder = bits % bound;
            if (bits - remainder <= Long.MAX_VALUE - (bound - 1)) {
                return remainder;
            }
        }
    }
}
