package io.gpuquant.quantize;

import io.gpuquant.device.DeviceMatrix;
import java.util.List;

/**
 * Linears as integers, on the device.
 *
 * @param codes U8 [outputs of all, in], columns in the order of the method
 * @param scales F16 [groups, outputs of all]
 * @param zeros U8 [groups, outputs of all]
 * @param positions {@code positions[i]} is the column of {@code codes} that holds input feature i
 * @param groupIndex {@code groupIndex[i]} is the group of input feature i
 * @param reports one per linear
 */
@SuppressWarnings("ArrayRecordComponent") // Bulk data that is made once and only read.
public record QuantizedStage(
        DeviceMatrix codes,
        DeviceMatrix scales,
        DeviceMatrix zeros,
        int[] positions,
        int[] groupIndex,
        List<LinearReport> reports)
        implements AutoCloseable {

    @Override
    public void close() {
        codes.buffer().close();
        scales.buffer().close();
        zeros.buffer().close();
    }
}
