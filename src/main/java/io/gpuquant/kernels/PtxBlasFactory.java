package io.gpuquant.kernels;

import io.gpuquant.device.Blas;
import io.gpuquant.device.BlasFactory;
import io.gpuquant.device.Device;

/** Offers {@link PtxBlas} to devices whose vendor library is not installed. Found as a service. */
public final class PtxBlasFactory implements BlasFactory {

    @Override
    public Blas create(Device device) {
        return new PtxBlas(device.info());
    }
}
