package io.gpuquant.ptx;

/** The comparing half of {@code setp}, {@code set} and {@code slct}: which lanes fulfil a condition. */
abstract class Comparison {

    /** Bits of the lanes of {@code mask} for which the condition holds. */
    abstract int holds(Warp warp, int mask);
}
