package io.gpuquant.model;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ActivationKernels;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The weight of a norm on the device.
 *
 * @param stored F32 [1, width], as the checkpoint has it
 * @param factor F32 [1, width], what is multiplied by; the same memory where that is the stored weight itself
 */
public record NormWeights(Norm norm, DeviceMatrix stored, DeviceMatrix factor) {

    static NormWeights load(Device device, Norm norm, WeightSource source, int width) {
        DeviceMatrix stored = DeviceMatrix.allocate(device, norm.tensor(), DType.F32, 1, width);
        DeviceMatrix factor = norm.flavour() == NormFlavour.WEIGHT
                ? stored
                : DeviceMatrix.allocate(device, norm.tensor(), DType.F32, 1, width);
        NormWeights weights = new NormWeights(norm, stored, factor);
        try {
            source.load(norm.tensor(), stored);
            if (factor != stored) {
                float[] offsets = new float[width];
                Arrays.fill(offsets, norm.flavour().offset());
                device.stream().copyToDevice(MemorySegment.ofArray(offsets), factor);
                new ActivationKernels(device.stream()).residualAdd(factor, stored);
            }
            return weights;
        } catch (RuntimeException failure) {
            weights.close();
            throw failure;
        }
    }

    void close() {
        stored.buffer().close();
        if (factor != stored) {
            factor.buffer().close();
        }
    }
}
