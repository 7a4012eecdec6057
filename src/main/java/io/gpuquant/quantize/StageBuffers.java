package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;

/** Memory for the result of quantizing a stage, as {@link QuantizedStage} describes it. */
record StageBuffers(DeviceMatrix codes, DeviceMatrix scales, DeviceMatrix zeros) {

    static StageBuffers allocate(Device device, StageTask task, int groups) {
        int rows = task.weights().rows();
        return new StageBuffers(
                DeviceMatrix.allocate(device, "codes", DType.U8, rows, task.in()),
                DeviceMatrix.allocate(device, "scales", DType.F16, groups, rows),
                DeviceMatrix.allocate(device, "zero points", DType.U8, groups, rows));
    }
}
