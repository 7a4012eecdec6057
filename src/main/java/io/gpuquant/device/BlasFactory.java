package io.gpuquant.device;

/**
 * Makes matrix products for a device whose vendor library is not installed, out of kernels. Implementations are found as
 * services, because the kernels lie above the devices that need them.
 */
public interface BlasFactory {

    /** Matrix products on this device; they live as long as it does and hold no memory of their own after that. */
    Blas create(Device device);
}
