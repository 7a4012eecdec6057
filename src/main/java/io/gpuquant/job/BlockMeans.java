package io.gpuquant.job;

import io.gpuquant.format.BnbScheme;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * What a second quantization takes from the absmax of blocks: their mean over a linear. It is found on the processor before
 * anything is written, because its digits are part of the file, whose every byte has its place from the start.
 */
final class BlockMeans {

    private BlockMeans() {}

    /** The mean of each linear, in float64 and rounded once. */
    static Map<String, Float> of(Checkpoint checkpoint, List<LinearSpec> linears) {
        return linears.parallelStream()
                .collect(Collectors.toMap(LinearSpec::name, linear -> mean(checkpoint.tensor(linear.weightName()))));
    }

    private static float mean(HostTensor weight) {
        long count = weight.shape().elementCount();
        double sum = 0;
        for (long block = 0; block < count; block += BnbScheme.BLOCK) {
            float most = 0;
            for (long i = block; i < Math.min(block + BnbScheme.BLOCK, count); i++) {
                most = Math.max(most, Math.abs(Elements.floatAt(weight.data(), weight.dtype(), i)));
            }
            sum += most;
        }
        return (float) (sum / Math.ceilDiv(count, BnbScheme.BLOCK));
    }
}
