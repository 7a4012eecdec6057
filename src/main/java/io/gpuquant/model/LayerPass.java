package io.gpuquant.model;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

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
        this(device, config, rope -> new RotaryEmbedding(rope, config.headDim()), operandType, chunking, placements);
    }

    /** With rotary embeddings other than the configuration's. */
    LayerPass(
            Device device,
            ModelConfig config,
            Function<RopeParameters, RotaryEmbedding> ropes,
            DType operandType,
            Chunking chunking,
            Placements placements) {
        this.device = device;
        this.config = config;
        this.operandType = operandType;
        this.chunking = chunking;
        this.placements = placements;
        steps = new StepRunner(device, config, ropes, operandType, chunking);
    }

    /**
     * Runs a layer.
     *
     * @param hidden F32 [tokens, hidden size], the residual stream; updated in place
     */
    public void run(LayerWeights weights, ActivationStore hidden) {
        try (ChunkWork work = new ChunkWork(weights)) {
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                DeviceMatrix stream = hidden.open(chunk);
                work.attention(stream, StageInputs.IGNORED, chunk);
                work.mlp(stream, StageInputs.IGNORED, chunk);
                hidden.store(chunk, stream);
            }
        }
    }

    /**
     * Runs a layer stage by stage.
     *
     * @param hidden F32 [tokens, hidden size], the residual stream; updated in place
     */
    public void run(LayerWeights weights, ActivationStore hidden, StageObserver observer) {
        runAttention(weights, hidden, observer);
        if (weights.layer().router().isPresent()) {
            runExperts(weights, hidden, observer);
        } else {
            runMlp(weights, hidden, observer);
        }
    }

    /** What becomes of the residual stream when a layer is only looked at. */
    public enum Residual {
        /** It stays what it was before the layer. */
        KEPT,
        /** It becomes what it is after the layer. */
        UPDATED
    }

    /**
     * Runs a layer with weights that do not change, and shows the inputs of all its stages, block by block; those of an
     * expert for the tokens that go to it.
     *
     * @param hidden F32 [tokens, hidden size], the residual stream
     */
    public void observe(LayerWeights weights, ActivationStore hidden, StageInputs observer, Residual residual) {
        observe(weights, hidden, observer, residual, null);
    }

    /**
     * The same, but of a layer with experts only the inputs of the attention's stages.
     *
     * @param routed gets what enters the experts; null for a layer without
     */
    public void observe(
            LayerWeights weights,
            ActivationStore hidden,
            StageInputs observer,
            Residual residual,
            @Nullable RoutedTokens routed) {
        DeviceMatrix copy =
                DeviceMatrix.allocate(device, "residual stream", DType.F32, chunking.mostTokens(), config.hiddenSize());
        try (var buffer = copy.buffer();
                ChunkWork work = new ChunkWork(weights)) {
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                DeviceMatrix given = hidden.open(chunk);
                DeviceMatrix stream = given;
                if (residual == Residual.KEPT) {
                    stream = copy.rows(0, given.rows());
                    device.stream().copy(given.buffer(), given.byteOffset(), buffer, 0, given.byteSize());
                }
                work.attention(stream, observer, chunk);
                if (routed != null) {
                    routed.fill(chunk, stream, weights, steps);
                }
                if (routed == null || residual == Residual.UPDATED) {
                    work.mlp(stream, routed == null ? observer : StageInputs.IGNORED, chunk);
                }
                if (residual == Residual.UPDATED) {
                    hidden.store(chunk, stream);
                }
            }
        }
    }

    /** What enters the experts of a layer, for {@link #observe} to fill. */
    public RoutedTokens routedTokens(Router router) {
        return new RoutedTokens(device, router, operandType, chunking, placements.mlp());
    }

    /** Both halves of a layer on one chunk, and the memory between their stages. */
    private final class ChunkWork implements AutoCloseable {

        private final LayerWeights weights;
        private final DeviceMatrix attended;
        private final DeviceMatrix activated;
        private final @Nullable RoutedTokens routed;

        ChunkWork(LayerWeights weights) {
            this.weights = weights;
            int tokens = chunking.mostTokens();
            attended = DeviceMatrix.allocate(device, "attention results", operandType, tokens, config.queryWidth());
            activated = DeviceMatrix.allocate(
                    device,
                    "activated gate",
                    operandType,
                    tokens,
                    weights.layer().feedForwards().getFirst().out().in());
            Chunking one = chunking.first();
            routed = weights.layer()
                    .router()
                    .map(router -> new RoutedTokens(device, router, operandType, one, ActivationStore.Placement.DEVICE))
                    .orElse(null);
        }

        void attention(DeviceMatrix stream, StageInputs observer, int chunk) {
            DecoderLayer layer = weights.layer();
            DeviceMatrix a = attended.rows(0, stream.rows());
            DeviceMatrix x = steps.normalize(stream, weights.attentionNorm());
            show(layer.attentionIn(), chunk, x, observer);
            steps.attend(x, weights, weights.stage(layer.attentionIn()), a);
            show(layer.attentionOut(), chunk, a, observer);
            steps.addProjection(a, weights.stage(layer.attentionOut()), afterAttention(weights), stream);
        }

        void mlp(DeviceMatrix stream, StageInputs observer, int chunk) {
            RoutedTokens tokens = routed;
            if (tokens != null) {
                tokens.fill(0, stream, weights, steps);
                for (int expert = 0; expert < weights.layer().feedForwards().size(); expert++) {
                    FeedForward one = weights.layer().feedForwards().get(expert);
                    tokens.forEach(expert, 0, (only, x) -> {
                        DeviceMatrix b = activated.rows(0, x.rows());
                        observer.input(one.in(), chunk, x);
                        steps.activate(x, weights.stage(one.in()), b);
                        observer.input(one.out(), chunk, b);
                        tokens.add(0, steps.project(b, weights.stage(one.out())), stream);
                    });
                }
                return;
            }
            FeedForward mlp = weights.layer().feedForwards().getFirst();
            DeviceMatrix b = activated.rows(0, stream.rows());
            DeviceMatrix x = steps.normalize(stream, weights.mlpNorm());
            show(mlp.in(), chunk, x, observer);
            steps.activate(x, weights.stage(mlp.in()), b);
            show(mlp.out(), chunk, b, observer);
            steps.addProjection(b, weights.stage(mlp.out()), afterMlp(weights), stream);
        }

        @Override
        public void close() {
            attended.buffer().close();
            activated.buffer().close();
            if (routed != null) {
                routed.close();
            }
        }
    }

    private static Optional<NormWeights> afterAttention(LayerWeights weights) {
        return weights.layer().norms().afterAttention().map(weights::norm);
    }

    private static Optional<NormWeights> afterMlp(LayerWeights weights) {
        return weights.layer().norms().afterMlp().map(weights::norm);
    }

    /**
     * A half of a layer by itself: the attention or an MLP, from its normalized input to what it adds to the residual stream,
     * before the norm of it that some families have. The pass must stay open as long.
     */
    public final class Module implements AutoCloseable {

        private final LayerWeights weights;
        private final Stage.Kind first;
        private final DeviceMatrix between;

        private Module(LayerWeights weights, Stage.Kind first) {
            this.weights = weights;
            this.first = first;
            int width = switch (first) {
                case ATTENTION_IN -> config.queryWidth();
                case MLP_IN -> weights.layer().stage(Stage.Kind.MLP_OUT).in();
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
                steps.attend(x, weights, in, inner);
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
     * @param weights give the norms of queries and keys
     * @param first the first of its two stages
     */
    public Module module(LayerWeights weights, Stage.Kind first) {
        return new Module(weights, first);
    }

    /**
     * Shows the inputs of an expert's output projection for the tokens that go to it.
     *
     * @param in the weights of the expert's first stage
     */
    public void activations(RoutedTokens routed, int expert, StageWeights in, RoutedTokens.Rows rows) {
        DeviceMatrix activated = DeviceMatrix.allocate(
                device,
                "activated gate",
                operandType,
                chunking.mostTokens(),
                in.stage().handedOn());
        try (var buffer = activated.buffer()) {
            routed.forEach(expert, (chunk, x) -> {
                DeviceMatrix b = activated.rows(0, x.rows());
                steps.activate(x, in, b);
                rows.accept(chunk, b);
            });
        }
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
                steps.attend(steps.normalize(hidden.open(chunk), weights.attentionNorm()), weights, in, a);
                attended.store(chunk, a);
                show(out.stage(), a, observer);
            }
            observer.inputsComplete(out);
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                DeviceMatrix stream = hidden.open(chunk);
                steps.addProjection(attended.open(chunk), out, afterAttention(weights), stream);
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
        try (ActivationStore activated = store("activated gate", out.stage().in(), placements.mlp())) {
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                DeviceMatrix b = activated.create(chunk);
                steps.activate(steps.normalize(hidden.open(chunk), weights.mlpNorm()), in, b);
                activated.store(chunk, b);
                show(out.stage(), b, observer);
            }
            observer.inputsComplete(out);
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                DeviceMatrix stream = hidden.open(chunk);
                steps.addProjection(activated.open(chunk), out, afterMlp(weights), stream);
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

    /**
     * Expert after expert: none sees what another gives, so each can be changed and used before the next. What enters them is
     * kept, since the residual stream changes below it.
     */
    private void runExperts(LayerWeights weights, ActivationStore hidden, StageObserver observer) {
        DecoderLayer layer = weights.layer();
        try (RoutedTokens routed = routedTokens(layer.router().orElseThrow())) {
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                routed.fill(chunk, hidden.open(chunk), weights, steps);
            }
            for (int expert = 0; expert < layer.feedForwards().size(); expert++) {
                runExpert(weights, expert, routed, hidden, observer);
            }
        }
    }

    private void runExpert(
            LayerWeights weights, int expert, RoutedTokens routed, ActivationStore hidden, StageObserver observer) {
        FeedForward feedForward = weights.layer().feedForwards().get(expert);
        StageWeights in = weights.stage(feedForward.in());
        routed.forEach(expert, (chunk, x) -> observer.input(in.stage(), x));
        observer.inputsComplete(in);
        activations(routed, expert, in, (chunk, b) -> observer.input(feedForward.out(), b));
        observer.inputsComplete(weights.stage(feedForward.out()));
        activations(routed, expert, in, (chunk, b) -> {
            DeviceMatrix stream = hidden.open(chunk);
            routed.add(chunk, steps.project(b, weights.stage(feedForward.out())), stream);
            hidden.store(chunk, stream);
        });
    }

    private ActivationStore store(String name, int width, ActivationStore.Placement placement) {
        return new ActivationStore(device, name, chunking, operandType, width, placement);
    }

    @Override
    public void close() {
        steps.close();
    }
}
