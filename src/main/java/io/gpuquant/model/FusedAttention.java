package io.gpuquant.model;

import io.gpuquant.UsageException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.AttentionKernels;
import io.gpuquant.kernels.AttentionRule;
import io.gpuquant.tensor.DType;

/** Attention by a kernel that goes through the keys once, with no memory for scores. */
public final class FusedAttention implements HeadAttention {

    private final AttentionKernels kernels;
    private final AttentionHeads heads;
    private final int length;

    /**
     * @param operandType the type of the operands of matrix products
     * @param length tokens of a sequence
     * @throws UsageException when there is no kernel for these heads
     */
    public FusedAttention(Device device, AttentionHeads heads, DType operandType, int length) {
        if (!AttentionKernels.supports(heads.size(), operandType)) {
            throw new UsageException("--attention fused cannot compute heads of " + heads.size() + " elements in "
                    + operandType + ", the type of matrix products on "
                    + device.info().id() + " (it can compute heads of " + AttentionKernels.supportedHeads()
                    + " elements in F16 and BF16); use --attention tiled");
        }
        kernels = new AttentionKernels(device.stream());
        this.heads = heads;
        this.length = length;
    }

    @Override
    public void attend(
            DeviceMatrix queries, DeviceMatrix keys, DeviceMatrix values, AttentionRule rule, DeviceMatrix out) {
        kernels.attend(queries, keys, values, length, heads.size(), rule, out);
    }

    @Override
    public void close() {
        // It holds nothing.
    }
}
