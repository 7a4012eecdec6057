package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.model.ActivationStore;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.Embedding;
import io.gpuquant.model.LayerPass;
import io.gpuquant.model.LayerWeights;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.StageInputs;
import io.gpuquant.model.WeightSource;
import io.gpuquant.tensor.DType;

/** The calibration sequences on their way through the decoder layers, one layer after the other. */
final class CalibrationPass implements AutoCloseable {

    private final Device device;
    private final ModelStructure structure;
    private final DType operandType;
    private final ActivationStore hidden;
    private final LayerPass pass;

    /**
     * Allocates memory for the activations of all sequences.
     *
     * @param operandType the type of the operands of matrix products
     */
    CalibrationPass(
            Device device,
            ModelStructure structure,
            DType operandType,
            Chunking chunking,
            MemoryPlan.Placements placements) {
        this.device = device;
        this.structure = structure;
        this.operandType = operandType;
        hidden = new ActivationStore(
                device,
                "residual stream",
                chunking,
                DType.F32,
                structure.config().hiddenSize(),
                placements.hidden());
        pass = new LayerPass(device, structure.config(), operandType, chunking, placements.stages());
    }

    /** Fills the residual stream with what enters the first layer. */
    void embed(WeightSource source, Embedding.Sequences sequences) {
        Embedding.fill(device, structure, source, sequences, hidden);
    }

    /** Runs layers over the residual stream. */
    LayerPass layers() {
        return pass;
    }

    /** The residual stream. */
    ActivationStore hidden() {
        return hidden;
    }

    /** Runs a layer with nobody watching. */
    void run(DecoderLayer layer, WeightSource source) {
        try (LayerWeights weights = load(layer, source)) {
            pass.run(weights, hidden);
        }
    }

    /** Runs a layer with weights that do not change, and shows what enters its linears. */
    void observe(DecoderLayer layer, WeightSource source, StageInputs watch, LayerPass.Residual residual) {
        try (LayerWeights weights = load(layer, source)) {
            pass.observe(weights, hidden, watch, residual);
        }
    }

    private LayerWeights load(DecoderLayer layer, WeightSource source) {
        return new LayerWeights(
                device, layer, source, operandType, structure.config().hiddenSize());
    }

    @Override
    public void close() {
        pass.close();
        hidden.close();
    }
}
