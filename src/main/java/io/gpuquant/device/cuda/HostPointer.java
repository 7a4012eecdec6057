package io.gpuquant.device.cuda;

import java.lang.foreign.MemorySegment;
import jcuda.Pointer;

/**
 * The address of off-heap memory in the form that JCuda takes. JCuda's own pointers to buffers end at 2 GiB, and those to
 * arrays dangle once a call returns.
 */
final class HostPointer extends Pointer {

    HostPointer(MemorySegment memory) {
        super(memory.address());
        if (!memory.isNative()) {
            throw new IllegalArgumentException("memory of the Java heap has no address");
        }
    }
}
