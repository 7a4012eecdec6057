package io.gpuquant.ptx.syntax;

/**
 * A variable in shared or local memory.
 *
 * @param byteSize its size; zero for an {@code .extern} array whose size the launch decides
 */
public record Variable(String name, Space space, int alignment, int byteSize) {

    /** Where a variable lives. */
    public enum Space {
        /** One per block, of a size known from the text. */
        SHARED,
        /** The dynamic shared memory of the launch. */
        DYNAMIC_SHARED,
        /** One per thread. */
        LOCAL
    }
}
