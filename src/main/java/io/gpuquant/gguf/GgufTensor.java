package io.gpuquant.gguf;

import java.util.List;
import java.util.stream.Collectors;

/**
 * A tensor as the header of a GGUF file describes it.
 *
 * @param name shorter than 64 bytes of UTF-8
 * @param extents the innermost first, 1 to 4 of them: a weight of {@code [out, in]} has {@code [in, out]}
 * @param offset bytes from the start of the data section
 */
public record GgufTensor(String name, GgmlType type, List<Long> extents, long offset) {

    public GgufTensor {
        extents = List.copyOf(extents);
    }

    /** Elements of a row, which blocks do not cross. */
    public long rowLength() {
        return extents.getFirst();
    }

    /** How many rows there are. */
    public long rows() {
        return extents.stream().skip(1).reduce(1L, Math::multiplyExact);
    }

    /** How many elements there are. */
    public long elements() {
        return extents.stream().reduce(1L, Math::multiplyExact);
    }

    /** Bytes of the data, without what pads it. */
    public long byteSize() {
        return Math.multiplyExact(type.bytes(rowLength()), rows());
    }

    /** The shape as other formats have it, outermost first, for a message. */
    public String shape() {
        return extents.reversed().stream().map(String::valueOf).collect(Collectors.joining(", ", "[", "]"));
    }
}
