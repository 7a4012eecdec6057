package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;

/** Memory for the result of quantizing a stage, as {@link QuantizedStage} describes it. */
record StageBuffers(StageCodes codes, DeviceMatrix scales, DeviceMatrix zeros) {

    /** With a byte for each code. */
    static StageBuffers ofBytes(Device device, StageTask task, ColumnOrder order, int groups) {
        try (Scratch memory = new Scratch(device)) {
            DeviceMatrix codes = memory.matrix("codes", DType.U8, task.weights().rows(), task.in());
            return with(memory, new StageCodes.Bytes(codes, order.positions()), task, groups);
        }
    }

    /** With codes in words. */
    static StageBuffers ofWords(Device device, StageTask task, int bits, int groups) {
        int each = Math.toIntExact((long) task.in() * bits / Integer.SIZE);
        try (Scratch memory = new Scratch(device)) {
            DeviceMatrix words = memory.matrix(
                    "packed codes",
                    DType.I32,
                    1,
                    Math.multiplyExact(task.weights().rows(), each));
            return with(memory, new StageCodes.Words(words, each), task, groups);
        }
    }

    private static StageBuffers with(Scratch memory, StageCodes codes, StageTask task, int groups) {
        int rows = task.weights().rows();
        StageBuffers buffers = new StageBuffers(
                codes,
                memory.matrix("scales", DType.F16, groups, rows),
                memory.matrix("zero points", DType.U8, groups, rows));
        memory.keep();
        return buffers;
    }

    /** Codes by the byte. */
    DeviceMatrix codeBytes() {
        return StageCodes.bytes(codes).matrix();
    }

    /** Frees the memory, where there will be no result. */
    void discard() {
        codes.buffer().close();
        scales.buffer().close();
        zeros.buffer().close();
    }
}
