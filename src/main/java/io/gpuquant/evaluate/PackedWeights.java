package io.gpuquant.evaluate;

import io.gpuquant.device.Device;
import io.gpuquant.format.AwqScheme;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.PackQuantizedScheme;
import io.gpuquant.format.PackedScheme;
import io.gpuquant.format.TensorReader;
import io.gpuquant.model.WeightSource;
import io.gpuquant.tensor.DType;

/** The weights of quantized checkpoints of every readable format. */
public final class PackedWeights {

    private PackedWeights() {}

    /**
     * The weights of a checkpoint.
     *
     * @param linearType the type that the linears' weights had before they were quantized
     * @param others gives the tensors that are not quantized
     */
    public static WeightSource of(
            Device device, TensorReader reader, PackedScheme scheme, DType linearType, WeightSource others) {
        return switch (scheme) {
            case GptqScheme gptq -> new GptqWeights(device, reader, gptq, linearType, others);
            case AwqScheme awq -> new AwqWeights(device, reader, awq, linearType, others);
            case PackQuantizedScheme packed -> new PackQuantizedWeights(device, reader, packed, linearType, others);
        };
    }
}
