package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.format.AwqScheme;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.PackQuantizedScheme;
import io.gpuquant.format.PackedScheme;
import io.gpuquant.model.StageWeights;
import io.gpuquant.quantize.QuantizedStage;

/** Packs the linears of a quantized stage on the device, writes them, and gives the stage the weights they stand for. */
sealed interface StageWriter permits GptqLinearWriter, AwqLinearWriter, PackQuantizedLinearWriter {

    /** Writes all linears of a stage; {@code weights} then holds what an engine will compute with. */
    void write(QuantizedStage quantized, StageWeights weights);

    /** The writer of a format. */
    static StageWriter of(Device device, PackedScheme scheme, ResultOutput output) {
        return switch (scheme) {
            case GptqScheme gptq -> new GptqLinearWriter(device, gptq, output);
            case AwqScheme awq -> new AwqLinearWriter(device, awq, output);
            case PackQuantizedScheme packed -> new PackQuantizedLinearWriter(device, packed, output);
        };
    }
}
