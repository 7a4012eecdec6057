package io.gpuquant.model;

import io.gpuquant.device.DeviceMatrix;
import org.jspecify.annotations.Nullable;

/**
 * The weights of a stage on the device.
 *
 * @param stacked the weights of all its linears, [out of all, in], in the operand type of matrix products
 * @param bias F32 [1, out of all], zero for linears without one; null when none has one
 */
public record StageWeights(
        Stage stage, DeviceMatrix stacked, @Nullable DeviceMatrix bias) {

    /** The weight of one linear, [out, in], a window of the stacked ones. */
    public DeviceMatrix weight(int linear) {
        return stacked.rows(stage.offset(linear), stage.linears().get(linear).out());
    }
}
