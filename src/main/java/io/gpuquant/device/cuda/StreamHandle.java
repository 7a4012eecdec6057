package io.gpuquant.device.cuda;

import jcuda.driver.CUstream;

/** A driver stream whose address can be passed to libraries that JCuda does not know. */
final class StreamHandle extends CUstream {

    long address() {
        return getNativePointer();
    }
}
