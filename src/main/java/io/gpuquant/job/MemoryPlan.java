package io.gpuquant.job;

import io.gpuquant.ResourceException;
import io.gpuquant.device.Device;
import io.gpuquant.model.ActivationStore.Placement;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.LayerPass;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.Stage;
import io.gpuquant.tensor.DType;

/**
 * What a calibration run holds on the device at once, and where the activations of all tokens go: on the device if they fit,
 * else the largest first to memory of this process.
 *
 * @param fixedBytes weights of a layer, work space, and what the method takes
 * @param hiddenBytes the residual stream of all tokens
 * @param attentionBytes inputs of the attention's output projection of all tokens
 * @param mlpBytes inputs of the down projection of all tokens
 * @param availableBytes what the device has
 */
record MemoryPlan(
        long fixedBytes,
        long hiddenBytes,
        long attentionBytes,
        long mlpBytes,
        long availableBytes,
        Placement hidden,
        LayerPass.Placements stages) {

    /** The part of a device's memory that is counted on; the rest is for its driver, libraries and fragmentation. */
    private static final double USABLE = 0.92;

    /**
     * Plans for a device.
     *
     * @param workBytes what quantizing takes besides a layer's weights and the work space of a pass
     * @throws ResourceException when not even a layer fits
     */
    static MemoryPlan of(
            Device device, ModelStructure structure, Chunking chunking, DType operandType, long workBytes) {
        long available = (long)
                Math.min(device.memory().limitBytes(), USABLE * device.info().memoryBytes());
        ModelConfig config = structure.config();
        long tokens = chunking.totalTokens();
        long hidden = DType.F32.bytes(tokens * config.hiddenSize());
        long attention = operandType.bytes(tokens * config.queryWidth());
        long mlp = operandType.bytes(tokens * config.intermediateSize());
        long fixed = fixedBytes(structure, chunking, operandType) + workBytes;
        // Attention results and activated gates are never needed at the same time.
        Placement mlpPlace = Placement.DEVICE;
        Placement attentionPlace = Placement.DEVICE;
        Placement hiddenPlace = Placement.DEVICE;
        if (fixed + hidden + Math.max(attention, mlp) > available) {
            mlpPlace = Placement.HOST;
        }
        if (fixed + hidden + attention > available) {
            attentionPlace = Placement.HOST;
        }
        if (fixed + hidden > available) {
            hiddenPlace = Placement.HOST;
        }
        if (fixed > available) {
            throw new ResourceException("one layer of this model takes about " + Sizes.format(fixed) + " on "
                    + device.info().id() + ", but " + Sizes.format(available)
                    + " are available; use a larger device, or --device host");
        }
        return new MemoryPlan(
                fixed,
                hidden,
                attention,
                mlp,
                available,
                hiddenPlace,
                new LayerPass.Placements(attentionPlace, mlpPlace));
    }

    private static long fixedBytes(ModelStructure structure, Chunking chunking, DType operandType) {
        ModelConfig config = structure.config();
        long layer = 0;
        for (Stage stage : structure.layers().getFirst().stages()) {
            layer += operandType.bytes((long) stage.in() * stage.out());
        }
        long perToken = DType.F32.bytes((long) config.queryWidth() * 2 + 2L * config.keyValueWidth())
                + DType.F32.bytes(2L * config.intermediateSize())
                + DType.F32.bytes(config.hiddenSize())
                + operandType.bytes((long) config.hiddenSize() + config.queryWidth() + 2L * config.keyValueWidth());
        return layer + perToken * chunking.mostTokens() + scoreBytes(config, chunking);
    }

    private static long scoreBytes(ModelConfig config, Chunking chunking) {
        long perHead = DType.F32.bytes((long) chunking.sequenceLength() * chunking.sequenceLength());
        return Math.max(2 * perHead, 2 * (64L << 20));
    }
}
