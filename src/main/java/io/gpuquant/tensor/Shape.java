package io.gpuquant.tensor;

import java.util.Arrays;

/** The extents of a tensor, outermost first; a scalar has none. Extents are never negative, and may be zero. */
public final class Shape {

    private final long[] extents;

    private Shape(long[] extents) {
        this.extents = extents;
    }

    /**
     * A shape of these extents.
     *
     * @throws IllegalArgumentException when one is negative
     */
    public static Shape of(long... extents) {
        for (long extent : extents) {
            if (extent < 0) {
                throw new IllegalArgumentException("negative extent in " + Arrays.toString(extents));
            }
        }
        return new Shape(extents.clone());
    }

    /** How many extents there are. */
    public int rank() {
        return extents.length;
    }

    /** The extent of one dimension, counted from the outermost. */
    public long extent(int dimension) {
        return extents[dimension];
    }

    /** The extents, outermost first. */
    public long[] extents() {
        return extents.clone();
    }

    /**
     * How many elements there are; one for a scalar.
     *
     * @throws ArithmeticException when the number exceeds 2^63-1
     */
    public long elementCount() {
        // A zero extent wins over an overflow of the others: such a tensor is empty, however large its neighbours.
        long count = 1;
        for (long extent : extents) {
            if (extent == 0) {
                return 0;
            }
        }
        for (long extent : extents) {
            count = Math.multiplyExact(count, extent);
        }
        return count;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Shape shape && Arrays.equals(extents, shape.extents);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(extents);
    }

    @Override
    public String toString() {
        return Arrays.toString(extents);
    }
}
