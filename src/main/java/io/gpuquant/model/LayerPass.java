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

    /** What becomes of the residual stream when a layer is only looked at. */
    public enum Residual {
        /** It stays what it was before the layer. */
        KEPT,
        /** It becomes what it is after the layer. */
        UPDATED
    }

    /**
     * Runs a layer with weights that do not change, and shows the inputs of all its stages, block by block.
     *
     * @param hidden F32 [tokens, hidden size], the residual stream
     */
    public void observe(LayerWeights weights, ActivationStore hidden, StageInputs observer, Residual residual) {
        DeviceMatrix copy =
                DeviceMatrix.allocate(device, "residual stream", DType.F32, chunking.mostTokens(), config.hiddenSize());
        try (var buffer = copy.buffer();
                ActivationStore attended = oneChunk("attention results", config.queryWidth());
                ActivationStore activated = oneChunk("activated gate", config.intermediateSize())) {
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                DeviceMatrix given = hidden.open(chunk);
                DeviceMatrix stream = given;
                if (residual == Residual.KEPT) {
                    stream = copy.rows(0, given.rows());
                    device.stream().copy(given.buffer(), given.byteOffset(), buffer, 0, given.byteSize());
                }
                observe(weights, stream, observer, chunk, attended.create(0), activated.create(0));
                if (residual == Residual.UPDATED) {
                    hidden.store(chunk, stream);
                }
            }
        }
    }

    private void observe(
            LayerWeights weights,
            DeviceMatrix stream,
            StageInputs observer,
            int chunk,
            DeviceMatrix attended,
            DeviceMatrix activated) {
        DeviceMatrix a = attended.rows(0, stream.rows());
        StageWeights attentionIn = weights.stage(Stage.Kind.ATTENTION_IN);
        StageWeights attentionOut = weights.stage(Stage.Kind.ATTENTION_OUT);
        DeviceMatrix x = steps.normalize(stream, weights.attentionNorm());
        show(attentionIn.stage(), chunk, x, observer);
        steps.attend(x, attentionIn, a);
        show(attentionOut.stage(), chunk, a, observer);
        steps.addProjection(a, attentionOut, stream);
        DeviceMatrix b = activated.rows(0, stream.rows());
        StageWeights mlpIn = weights.stage(Stage.Kind.MLP_IN);
        StageWeights mlpOut = weights.stage(Stage.Kind.MLP_OUT);
        DeviceMatrix y = steps.normalize(stream, weights.mlpNorm());
        show(mlpIn.stage(), chunk, y, observer);
        steps.activate(y, mlpIn, b);
        show(mlpOut.stage(), chunk, b, observer);
        steps.addProjection(b, mlpOut, stream);
    }

    /**
     * A half of a layer by itself: the attention or the MLP, from its normalized input to what it adds to the residual
     * stream. The pass must stay open as long.
     */
    public final class Module implements AutoCloseable {

        private final Stage.Kind first;
        private final DeviceMatrix between;

        private Module(Stage.Kind first) {
            this.first = first;
            int width = switch (first) {
                case ATTENTION_IN -> config.queryWidth();
                case MLP_IN -> config.intermediateSize();
                default -> throw new IllegalArgumentException("no module begins with " + first);
            };
            between = DeviceMatrix.allocate(
                    device, "activations within a module", operandType, chunking.blockTokens(), width);
        }

        /**
         * Runs the module on a block of tokens.
         *
         * @param x operand type [tokens, hidden size], dense
         * @param in the weights of the module's first stage
         * @param out the weights of its second
         * @param result F32 [tokens, hidden size], dense
         */
        public void run(DeviceMatrix x, StageWeights in, StageWeights out, DeviceMatrix result) {
            DeviceMatrix inner = between.rows(0, x.rows());
            if (first == Stage.Kind.ATTENTION_IN) {
                steps.attend(x, in, inner);
            } else {
                steps.activate(x, in, inner);
            }
            steps.project(inner, out, result);
        }

        @Override
        public void close() {
            between.buffer().close();
        }
    }

    /**
     * A half of a layer by itself.
     *
     * @param first the first of its two stages
     */
    public Module module(Stage.Kind first) {
        return new Module(first);
    }

    private void runAttention(LayerWeights weights, ActivationStore hidden, StageObserver observer) {
        StageWeights in = weights.stage(Stage.Kind.ATTENTION_IN);
        StageWeights out = weights.stage(Stage.Kind.ATTENTION_OUT);
        for (int chunk = 0; chunk < chunking.count(); chunk++) {
            show(in.stage(), steps.normalize(hidden.open(chunk), weights.attentionNorm()), observer);
        }
        observer.inputsComplete(in);
        try (ActivationStore attended = store("attention results", config.queryWidth(), placements.attention())) {
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                DeviceMatrix a = attended.create(chunk);
                steps.attend(steps.normalize(hidden.open(chunk), weights.attentionNorm()), in, a);
                attended.store(chunk, a);
                show(out.stage(), a, observer);
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
            show(in.stage(), steps.normalize(hidden.open(chunk), weights.mlpNorm()), observer);
        }
        observer.inputsComplete(in);
        try (ActivationStore activated = store("activated gate", config.intermediateSize(), placements.mlp())) {
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                DeviceMatrix b = activated.create(chunk);
                steps.activate(steps.normalize(hidden.open(chunk), weights.mlpNorm()), in, b);
                activated.store(chunk, b);
                show(out.stage(), b, observer);
            }
            observer.inputsComplete(out);
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                DeviceMatrix stream = hidden.open(chunk);
                steps.addProjection(activated.open(chunk), out, stream);
                hidden.store(chunk, stream);
            }
        }
    }

    private void show(Stage stage, DeviceMatrix x, StageObserver observer) {
        chunking.blocks(x).forEach(block -> observer.input(stage, block));
    }

    private void show(Stage stage, int chunk, DeviceMatrix x, StageInputs observer) {
        int block = chunking.firstBlock(chunk);
        for (DeviceMatrix rows : chunking.blocks(x)) {
            observer.input(stage, block, rows);
            block++;
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
