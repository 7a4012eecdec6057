package io.gpuquant.gguf;

import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;
import java.util.OptionalLong;

/** The float16 numbers in blocks that all weights of a block are multiplied by, or lessened by. */
public final class BlockScales {

    private static final int NONE = -1;

    private BlockScales() {}

    /**
     * The index of the first block with a scale or a minimum that is a NaN or an infinity; of the first such weight for a type
     * without blocks.
     *
     * @param blocks whole blocks
     */
    public static OptionalLong firstNonFinite(GgmlType type, MemorySegment blocks) {
        long count = blocks.byteSize() / type.blockBytes();
        int scale = scale(type);
        int minimum = minimum(type);
        for (long i = 0; i < count; i++) {
            long at = i * type.blockBytes();
            boolean finite = type.isQuantized()
                    ? isFinite(blocks, at + scale) && (minimum == NONE || isFinite(blocks, at + minimum))
                    : Float.isFinite(Elements.floatAt(blocks, DType.valueOf(type.name()), i));
            if (!finite) {
                return OptionalLong.of(i);
            }
        }
        return OptionalLong.empty();
    }

    private static boolean isFinite(MemorySegment blocks, long at) {
        return (blocks.get(Elements.SHORT, at) & 0x7c00) != 0x7c00;
    }

    /** Where in a block its scale is. */
    private static int scale(GgmlType type) {
        return switch (type) {
            case Q2_K -> 80;
            case Q3_K -> 108;
            case Q6_K -> 208;
            default -> 0;
        };
    }

    /** Where in a block its minimum is. */
    private static int minimum(GgmlType type) {
        return switch (type) {
            case Q4_1, Q5_1, Q4_K, Q5_K -> 2;
            case Q2_K -> 82;
            default -> NONE;
        };
    }
}
