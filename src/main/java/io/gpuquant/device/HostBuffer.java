package io.gpuquant.device;

import java.lang.foreign.MemorySegment;

/**
 * Memory of this process that copies to and from the device run at full speed with, and truly asynchronously (pinned, on
 * a GPU).
 */
public final class HostBuffer implements AutoCloseable {

    private final MemorySegment segment;
    private final Runnable release;
    private boolean closed;

    /** Called by devices only; {@code release} runs once, at the first close. */
    public HostBuffer(MemorySegment segment, Runnable release) {
        this.segment = segment;
        this.release = release;
    }

    /** The bytes. */
    public MemorySegment segment() {
        return segment;
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            release.run();
        }
    }
}
