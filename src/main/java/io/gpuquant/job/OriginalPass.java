package io.gpuquant.job;

import io.gpuquant.calibration.TokenSequences;
import io.gpuquant.device.Device;
import io.gpuquant.model.ActivationStore;
import io.gpuquant.model.ActivationStore.Placement;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LayerPass;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.StageInputs;
import io.gpuquant.model.WeightSource;
import io.gpuquant.tensor.DType;

/** Sequences on their way through the original model, for whoever watches what enters its linears. */
final class OriginalPass implements AutoCloseable {

    /** The part of a device's memory that the residual stream may have; the rest is for a layer and its work space. */
    private static final int SHARE = 3;

    private final Device device;
    private final ModelStructure structure;
    private final WeightSource source;
    private final DType operandType;
    private final CalibrationPass pass;

    OriginalPass(Device device, ModelStructure structure, WeightSource source, TokenSequences sequences) {
        this.device = device;
        this.structure = structure;
        this.source = source;
        operandType = device.operandType(source.dtype(structure.leadingWeight()));
        Chunking chunking = Chunking.of(sequences.count(), sequences.length());
        pass = new CalibrationPass(
                device,
                structure,
                operandType,
                chunking,
                new MemoryPlan.Placements(placement(chunking), LayerPass.Placements.ON_DEVICE));
        boolean complete = false;
        try {
            pass.embed(source, sequences::sequence);
            complete = true;
        } finally {
            if (!complete) {
                pass.close();
            }
        }
    }

    private Placement placement(Chunking chunking) {
        Room room = Room.of(device);
        long bytes = DType.F32.bytes(chunking.totalTokens() * structure.config().hiddenSize());
        return bytes <= (room.availableBytes() - room.heldBytes()) / SHARE ? Placement.DEVICE : Placement.HOST;
    }

    /** Passes a layer, the one after the last that was passed, and shows what enters its linears. */
    void observe(DecoderLayer layer, StageInputs watch) {
        pass.observe(layer, source, watch, LayerPass.Residual.UPDATED);
    }

    /** The residual stream after the last layer that was passed. */
    ActivationStore hidden() {
        return pass.hidden();
    }

    /** The type of the operands of matrix products. */
    DType operandType() {
        return operandType;
    }

    @Override
    public void close() {
        pass.close();
    }
}
