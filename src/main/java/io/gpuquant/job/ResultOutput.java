package io.gpuquant.job;

import io.gpuquant.device.DeviceMatrix;
import java.lang.foreign.MemorySegment;

/** Where the tensors of the output go, one after another, each once. */
interface ResultOutput {

    /** Takes no notice. */
    ResultOutput NOWHERE = new ResultOutput() {
        @Override
        public void send(String name, MemorySegment bytes) {}

        @Override
        public void send(String name, DeviceMatrix matrix) {}
    };

    /** Sends a tensor; its bytes may change once this returns. */
    void send(String name, MemorySegment bytes);

    /** Sends a tensor that is on the device, which must not be changed any more, but may be given back once this returns. */
    void send(String name, DeviceMatrix matrix);
}
