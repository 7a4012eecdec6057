package io.gpuquant.model;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;

/**
 * Where a model's weights come from. A quantized checkpoint is one too: it gives the weights that an engine computes with,
 * under the names they had before.
 */
public interface WeightSource {

    /**
     * The type that a tensor is stored in, or was meant for before it was quantized: F32, F16 or BF16.
     *
     * @throws io.gpuquant.InputException when there is no such tensor or it is of another type
     */
    DType dtype(String tensor);

    /**
     * Checks that there is a tensor of this shape, without reading its elements.
     *
     * @param rows one for a vector
     * @throws io.gpuquant.InputException when {@link #load} would refuse it for anything but its elements
     */
    default void require(String tensor, int rows, int columns) {
        dtype(tensor);
    }

    /**
     * Writes a tensor into device memory, converted to the type of {@code target}.
     *
     * @param target [rows, columns], dense; a vector is one row
     * @throws io.gpuquant.InputException when there is no such tensor, or it has another shape or holds a NaN or an infinity
     */
    void load(String tensor, DeviceMatrix target);

    /**
     * Starts {@link #load}, so that as much of it as can be is done while the device computes.
     *
     * @param target must not be used, nor closed, before the arrival is complete or the prefetcher closed
     */
    default Arrival begin(String tensor, DeviceMatrix target, Prefetcher prefetcher) {
        return () -> load(tensor, target);
    }

    /** Has the file of a tensor read ahead, where it is to be loaded soon, but has no place on the device yet. */
    default void anticipate(String tensor, Prefetcher prefetcher) {}
}
