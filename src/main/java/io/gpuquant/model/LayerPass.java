package io.gpuquant.model;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;

/**
 * Runs decoder layers over the residual stream of all tokens.
 *
 * <p>With an observer, each stage sees the inputs that the already changed stages before it produce, and every token goes
 * through the layer once: the same calibration as re-running the layer for each group of linears, at a fraction of the
 * work. What a later stage needs of an earlier one is kept, or where it is cheap, computed again.
 */
public final class LayerPass implements AutoCloseable {

    /**
     * Where the activations between stages are kept.
     *
     * @param attention inputs of the attention's output projection
     * @param mlp inputs of the down projection
     */
    public record Placements(ActivationStore.Placement attention, ActivationStore.Placement mlp) {

        /** All on the device. */
        public static final Placements ON_DEVICE =
                new Placements(ActivationStore.Placement.DEVICE, ActivationStore.Placement.DEVICE);
    }

    private final Device device;
    private final ModelConfig config;
    private final DType operandType;
    private final Chunking chunking;
    private final Placements placements;
    private final StepRunner steps;

    /**
     * @param operandType the type of the operands of matrix products
     */
    public LayerPass(Device device, ModelConfig config, DType operandType, Chunking chunking, Placements placements) {
        this(device, config, new RotaryEmbedding(config.rope(), config.headDim()), operandType, chunking, placements);
    }

    /** With a rotary embedding other than the configuration's. */
    LayerPass(
            Device device,
            ModelConfig config,
            RotaryEmbedding rope,
            DType operandType,
            Chunking chunking,
            Placements placements) {
        this.device = device;
        this.config = config;
        this.operandType = operandType;
        this.chunking = chunking;
        this.placements = placements;
        steps = new StepRunner(device, config, rope, operandType, chunking);
    }

    /**
     * Runs a layer.
     *
     * @param hidden F32 [tokens, hidden size], the residual stream; updated in place
     */
    public void run(LayerWeights weights, ActivationStore hidden) {
        try (ActivationStore attended = oneChunk("attention results", config.queryWidth());
                ActivationStore activated = oneChunk("activated gate", config.intermediateSize())) {
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                DeviceMatrix stream = hidden.open(chunk);
                DeviceMatrix a = attended.create(0).rows(0, stream.rows());
                steps.attend(
                        steps.normalize(stream, weights.attentionNorm()), weights.stage(Stage.Kind.ATTENTION_IN), a);
                steps.addProjection(a, weights.stage(Stage.Kind.ATTENTION_OUT), stream);
                DeviceMatrix b = activated.create(0).rows(0, stream.rows());
                steps.activate(steps.normalize(stream, weights.mlpNorm()), weights.stage(Stage.Kind.MLP_IN), b);
                steps.addProjection(b, weights.stage(Stage.Kind.MLP_OUT), stream);
                hidden.store(chunk, stream);
            }
        }
    }

    private ActivationStore oneChunk(String name, int width) {
        Chunking one = new Chunking(chunking.perChunk(), chunking.sequenceLength(), chunking.perChunk());
        return new ActivationStore(device, name, one, operandType, width, ActivationStore.Placement.DEVICE);
    }

    /**
     * Runs a layer stage by stage.
     *
     * @param hidden F32 [tokens, hidden size], the residual stream; updated in place
     */
    public void run(LayerWeights weights, ActivationStore hidden, StageObserver observer) {
        runAttention(weights, hidden, observer);
        runMlp(weights, hidden, observer);
    }

    private void runAttention(LayerWeights weights, ActivationStore hidden, StageObserver observer) {
        StageWeights in = weights.stage(Stage.Kind.ATTENTION_IN);
        StageWeights out = weights.stage(Stage.Kind.ATTENTION_OUT);
        for (int chunk = 0; chunk < chunking.count(); chunk++) {
            observer.input(in.stage(), steps.normalize(hidden.open(chunk), weights.attentionNorm()));
        }
        observer.inputsComplete(in);
        try (ActivationStore attended = store("attention results", config.queryWidth(), placements.attention())) {
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                DeviceMatrix a = attended.create(chunk);
                steps.attend(steps.normalize(hidden.open(chunk), weights.attentionNorm()), in, a);
                attended.store(chunk, a);
                observer.input(out.stage(), a);
            }
            observer.inputsComplete(out);
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                DeviceMatrix stream = hidden.open(chunk);
                steps.addProjection(attended.open(chunk), out, stream);
                hidden.store(chunk, stream);
            }
        }
    }

    private void runMlp(LayerWeights weights, ActivationStore hidden, StageObserver observer) {
        StageWeights in = weights.stage(Stage.Kind.MLP_IN);
        StageWeights out = weights.stage(Stage.Kind.MLP_OUT);
        for (int chunk = 0; chunk < chunking.count(); chunk++) {
            observer.input(in.stage(), steps.normalize(hidden.open(chunk), weights.mlpNorm()));
        }
        observer.inputsComplete(in);
        try (ActivationStore activated = store("activated gate", config.intermediateSize(), placements.mlp())) {
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                DeviceMatrix b = activated.create(chunk);
                steps.activate(steps.normalize(hidden.open(chunk), weights.mlpNorm()), in, b);
                activated.store(chunk, b);
                observer.input(out.stage(), b);
            }
            observer.inputsComplete(out);
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                DeviceMatrix stream = hidden.open(chunk);
                steps.addProjection(activated.open(chunk), out, stream);
                hidden.store(chunk, stream);
            }
        }
    }

    private ActivationStore store(String name, int width, ActivationStore.Placement placement) {
        return new ActivationStore(device, name, chunking, operandType, width, placement);
    }

    @Override
    public void close() {
        steps.close();
    }
}
