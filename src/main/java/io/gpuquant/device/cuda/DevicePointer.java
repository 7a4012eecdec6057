package io.gpuquant.device.cuda;

import jcuda.driver.CUdeviceptr;

/** A device address in the form that JCuda takes, and gives. */
final class DevicePointer extends CUdeviceptr {

    /** To receive an address. */
    DevicePointer() {}

    /** To pass an address. */
    DevicePointer(long address) {
        super(new CUdeviceptr(), address);
    }

    long address() {
        return getNativePointer() + getByteOffset();
    }
}
