package io.gpuquant.quantize;

import io.gpuquant.device.DeviceMatrix;
import java.util.List;

/**
 * Linears as integers, on the device.
 *
 * @param codes of all linears
 * @param scales F16 [groups, outputs of all]
 * @param zeros U8 [groups, outputs of all]
 * @param groupIndex {@code groupIndex[i]} is the group of input feature i
 * @param reports one per linear
 */
@SuppressWarnings("ArrayRecordComponent") // Bulk data that is made once and only read.
public record QuantizedStage(
        StageCodes codes, DeviceMatrix scales, DeviceMatrix zeros, int[] groupIndex, List<LinearReport> reports)
        implements AutoCloseable {

    @Override
    public void close() {
        codes.buffer().close();
        scales.buffer().close();
        zeros.buffer().close();
    }
}
