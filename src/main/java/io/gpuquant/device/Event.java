package io.gpuquant.device;

/** A point in a stream's work that another stream, or the host, can wait for. */
public interface Event {

    /** Waits, on the host, until the work before this point is done. */
    void synchronize();

    /** The event of a device whose streams are never behind the host. */
    Event ALREADY_DONE = () -> {};
}
