package io.gpuquant.ptx.syntax;

import java.util.List;

/**
 * A variable of a module or kernel.
 *
 * @param byteSize its size; zero for an {@code .extern} array whose size the launch decides
 * @param initial the first elements of a global or constant variable, as bits; the rest of it is zero
 * @param elementBytes size of one of those elements
 */
public record Variable(String name, Space space, int alignment, int byteSize, List<Long> initial, int elementBytes) {

    public Variable {
        initial = List.copyOf(initial);
    }

    /** Where a variable lives. */
    public enum Space {
        /** One per module, in global memory; {@code .const} ones too, since nothing can write them. */
        GLOBAL,
        /** One per block, of a size known from the text. */
        SHARED,
        /** The dynamic shared memory of the launch. */
        DYNAMIC_SHARED,
        /** One per thread. */
        LOCAL
    }
}
