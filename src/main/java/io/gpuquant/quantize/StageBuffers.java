package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;

/** Memory for the result of quantizing a stage, as {@link QuantizedStage} describes it. */
record StageBuffers(DeviceMatrix codes, DeviceMatrix scales, DeviceMatrix zeros) {

    static StageBuffers allocate(Device device, StageTask task, int groups) {
        int rows = task.weights().rows();
        try (Scratch memory = new Scratch(device)) {
            StageBuffers buffers = new StageBuffers(
                    memory.matrix("codes", DType.U8, rows, task.in()),
                    memory.matrix("scales", DType.F16, groups, rows),
                    memory.matrix("zero points", DType.U8, groups, rows));
            memory.keep();
            return buffers;
        }
    }

    /** Frees the memory, where there will be no result. */
    void discard() {
        codes.buffer().close();
        scales.buffer().close();
        zeros.buffer().close();
    }
}
