package io.gpuquant.device;

import java.util.concurrent.atomic.AtomicBoolean;

/** A named piece of device memory; closing it gives the memory back once the work that was queued on it is done. */
public final class DeviceBuffer implements AutoCloseable {

    private final String name;
    private final long address;
    private final long byteSize;
    private final Runnable release;
    private final AtomicBoolean closed = new AtomicBoolean();

    /** Called by devices only; {@code release} runs once, at the first close. */
    public DeviceBuffer(String name, long address, long byteSize, Runnable release) {
        this.name = name;
        this.address = address;
        this.byteSize = byteSize;
        this.release = release;
    }

    /** What the buffer holds, for messages. */
    public String name() {
        return name;
    }

    /**
     * The device address of the first byte.
     *
     * @throws IllegalStateException when the buffer is closed
     */
    public long address() {
        if (closed.get()) {
            throw new IllegalStateException("device buffer '" + name + "' is closed");
        }
        return address;
    }

    /** Size in bytes. */
    public long byteSize() {
        return byteSize;
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            release.run();
        }
    }

    @Override
    public String toString() {
        return name + " (" + byteSize + " bytes)";
    }
}
