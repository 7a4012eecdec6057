package io.gpuquant.device;

import java.lang.foreign.MemorySegment;

/**
 * A queue of work on a device. Everything is done in the order it was queued, and returns to the caller before it is done
 * unless said otherwise. Work of two streams is ordered by events only.
 */
public interface Stream {

    /**
     * Queues a copy of all of {@code source} to device memory. The source may be any memory of this process and may be
     * changed or freed once the call returns, unless it belongs to a {@link HostBuffer}: then it is read when the copy's
     * turn comes.
     */
    void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset);

    /**
     * Queues a copy from device memory that fills {@code target}. Where the target belongs to a {@link HostBuffer} the
     * bytes are there once the stream has been synchronized; otherwise the call waits and they are there at its return.
     */
    void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target);

    /** Queues a copy within the device; the ranges must not overlap. */
    void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes);

    /** Queues setting bytes to zero. */
    void clear(DeviceBuffer target, long offset, long bytes);

    /** Queues a kernel. */
    void launch(KernelEntry kernel, LaunchShape shape, KernelArguments arguments);

    /** Marks the end of the work queued so far. */
    Event record();

    /** Marks the time at which the work queued so far ends; it costs more than an event. */
    default TimeMark mark() {
        return new TimeMark.OfHost();
    }

    /** Makes later work of this stream wait for an event. */
    void await(Event event);

    /** Waits until all queued work is done; failures of that work are thrown here at the latest. */
    void synchronize();

    /** Queues a copy to all of a matrix, which must be dense. */
    default void copyToDevice(MemorySegment source, DeviceMatrix target) {
        requireDense(target, source.byteSize());
        copyToDevice(source, target.buffer(), target.byteOffset());
    }

    /** Queues a copy of all of a matrix, which must be dense. */
    default void copyToHost(DeviceMatrix source, MemorySegment target) {
        requireDense(source, target.byteSize());
        copyToHost(source.buffer(), source.byteOffset(), target);
    }

    /** Queues setting all of a matrix, which must be dense, to zero bytes. */
    default void clear(DeviceMatrix target) {
        requireDense(target, target.byteSize());
        clear(target.buffer(), target.byteOffset(), target.byteSize());
    }

    private static void requireDense(DeviceMatrix matrix, long bytes) {
        if (!matrix.isDense() || matrix.byteSize() != bytes) {
            throw new IllegalArgumentException("copying " + bytes + " bytes for " + matrix);
        }
    }
}
