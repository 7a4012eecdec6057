package io.gpuquant.device.cuda;

import java.lang.foreign.MemorySegment;
import java.util.stream.LongStream;

/**
 * Copies within the memory of this process by several threads: one alone is slower than a GPU's bus, and one that reads a mapped
 * file keeps a disk less busy than it could be.
 */
final class HostCopy {

    /** Bytes that a thread copies at a time. */
    static final long PIECE = 512 << 10;

    /** Stands for all threads but the one that asks. */
    private static final Thread ANOTHER = Thread.ofPlatform().unstarted(() -> {});

    private HostCopy() {}

    /** Copies the first {@code bytes} from {@code offset} on to the start of {@code target}, which any thread may write to. */
    static void copy(MemorySegment source, long offset, MemorySegment target, long bytes) {
        if (bytes <= PIECE || !source.isAccessibleBy(ANOTHER)) {
            MemorySegment.copy(source, offset, target, 0, bytes);
            return;
        }
        LongStream.range(0, Math.ceilDiv(bytes, PIECE)).parallel().forEach(piece -> {
            long first = piece * PIECE;
            MemorySegment.copy(source, offset + first, target, first, Math.min(PIECE, bytes - first));
        });
    }
}
