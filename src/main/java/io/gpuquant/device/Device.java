package io.gpuquant.device;

import io.gpuquant.tensor.DType;

/**
 * A machine that runs kernels and matrix products. Memory comes uninitialised. A device is used by one thread at a time, but
 * for its transfer stream and for waiting for events.
 */
public interface Device extends AutoCloseable {

    /** What it is. */
    DeviceInfo info();

    /**
     * Allocates memory, aligned to 256 bytes.
     *
     * @param name what it will hold, for the message when it does not fit
     * @throws DeviceOutOfMemoryException when it does not fit
     */
    DeviceBuffer allocate(String name, long bytes);

    /** Allocates memory of this process for fast copies. */
    HostBuffer allocateHost(String name, long bytes);

    /** The stream that computes. */
    Stream stream();

    /**
     * The stream for copies of weights that overlap with computing; the same as {@link #stream()} where nothing can overlap.
     * It may be used by another thread than the rest of the device, at the same time.
     */
    Stream transferStream();

    /** The stream for copies of activations to the device; the same as {@link #stream()} where nothing can overlap. */
    default Stream uploadStream() {
        return stream();
    }

    /** The stream for copies from the device; the same as {@link #stream()} where nothing can overlap. */
    default Stream downloadStream() {
        return stream();
    }

    /**
     * The stream for short pieces of work that longer ones wait for: where kernels wait for a multiprocessor, its own go first.
     * The same as {@link #stream()} where nothing can overlap.
     */
    default Stream priorityStream() {
        return stream();
    }

    /** Who is told what this process does, and when. */
    default Trace trace() {
        return Trace.OFF;
    }

    /** Matrix products. */
    Blas blas();

    /** What is allocated, and the limit. */
    MemoryLedger memory();

    /** Bytes of its memory that nobody holds now, other programs among them; it waits for queued work to know. */
    default long freeBytes() {
        return info().memoryBytes() - memory().heldBytes();
    }

    /** Bytes that may still be allocated: what {@link #freeBytes} says, and no more than the limit leaves. */
    default long availableBytes() {
        return Math.min(memory().limitBytes() - memory().heldBytes(), freeBytes());
    }

    /**
     * The type that operands of matrix products have here when the checkpoint's weights are {@code checkpointType}: the
     * half type itself where there are tensor cores, F32 where a half type would only add a conversion and a rounding.
     */
    DType operandType(DType checkpointType);

    /** How attention is to be computed here. */
    AttentionMethod attention();

    /** Releases everything, also what buffers still hold. */
    @Override
    void close();
}
