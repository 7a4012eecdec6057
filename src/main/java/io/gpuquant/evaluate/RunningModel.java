package io.gpuquant.evaluate;

import io.gpuquant.device.Device;
import io.gpuquant.model.ActivationStore;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.LayerPass;
import io.gpuquant.model.LayerWeights;
import io.gpuquant.model.OutputHead;
import io.gpuquant.model.StageInputs;
import io.gpuquant.tensor.DType;

/** A model on its way through the layers: its residual stream, and what the next layer needs. */
final class RunningModel implements AutoCloseable {

    private final Device device;
    private final EvaluatedModel model;
    private final DType operandType;
    private final ActivationStore hidden;
    private final LayerPass pass;

    RunningModel(Device device, EvaluatedModel model, Chunking chunking, ActivationStore.Placement placement) {
        this.device = device;
        this.model = model;
        operandType = device.operandType(model.weights().dtype(model.structure().leadingWeight()));
        hidden = new ActivationStore(
                device,
                "residual stream",
                chunking,
                DType.F32,
                model.structure().config().hiddenSize(),
                placement);
        pass = new LayerPass(device, model.structure().config(), operandType, chunking, LayerPass.Placements.ON_DEVICE);
    }

    int layers() {
        return model.structure().layers().size();
    }

    /** The residual stream, F32 [tokens, hidden size]. */
    ActivationStore hidden() {
        return hidden;
    }

    void runLayer(int layer) {
        try (LayerWeights weights = load(layer)) {
            pass.run(weights, hidden);
        }
    }

    /** Runs a layer, and shows the inputs of its stages. */
    void runLayer(int layer, StageInputs observer) {
        try (LayerWeights weights = load(layer)) {
            pass.observe(weights, hidden, observer, LayerPass.Residual.UPDATED);
        }
    }

    private LayerWeights load(int layer) {
        return new LayerWeights(
                device,
                model.structure().layers().get(layer),
                model.weights(),
                operandType,
                model.structure().config().hiddenSize());
    }

    OutputHead openHead() {
        return new OutputHead(device, model.structure(), model.weights(), operandType);
    }

    @Override
    public void close() {
        pass.close();
        hidden.close();
    }
}
