package io.gpuquant.model;

/** A tensor on its way to the device. */
public interface Arrival extends AutoCloseable {

    /**
     * Makes the tensor be there for work that is queued on the device's stream from now on.
     *
     * @throws io.gpuquant.InputException as {@link WeightSource#load}
     */
    void complete();

    /** Gives up what is held until then; nothing may be under way any more. */
    @Override
    default void close() {}
}
