package io.gpuquant.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A whole model as data: which tensors there are, what shape they have and which linears share an input.
 *
 * @param embedding the tensor with the token embedding, [vocabulary, hidden]
 * @param layers the decoder layers, in order
 * @param finalNorm the norm after the last layer
 * @param outputHead the tensor with the output head, [vocabulary, hidden]; the embedding where they are tied
 */
public record ModelStructure(
        ModelConfig config, String embedding, List<DecoderLayer> layers, Norm finalNorm, String outputHead) {

    public ModelStructure {
        layers = List.copyOf(layers);
    }

    /** The structure that a configuration describes. */
    public static ModelStructure of(ModelConfig config) {
        TensorNames names = config.family().names();
        List<DecoderLayer> layers = new ArrayList<>();
        for (int i = 0; i < config.numHiddenLayers(); i++) {
            layers.add(layer(config, names, i));
        }
        return new ModelStructure(
                config,
                names.embedding(),
                layers,
                new Norm(names.finalNorm(), config.family().normFlavour()),
                config.tieWordEmbeddings() ? names.embedding() : names.outputHead());
    }

    private static DecoderLayer layer(ModelConfig config, TensorNames names, int index) {
        int hidden = config.hiddenSize();
        int queries = config.queryWidth();
        int keys = config.keyValueWidth();
        boolean outputBias = config.attentionBias() && !config.family().has(ModelFamily.Trait.QUERY_KEY_VALUE_BIAS);
        Layer layer = new Layer(names, index);
        return new DecoderLayer(
                index,
                layer.norms(config.family().normFlavour()),
                config.attentionRules().layers().get(index),
                config.headDim(),
                layer.stage(
                        Stage.Kind.ATTENTION_IN,
                        OptionalInt.empty(),
                        names.attentionIn(),
                        hidden,
                        List.of(queries, keys, keys),
                        config.attentionBias()),
                layer.stage(
                        Stage.Kind.ATTENTION_OUT,
                        OptionalInt.empty(),
                        List.of(names.attentionOut()),
                        queries,
                        List.of(hidden),
                        outputBias),
                feedForwards(config, layer),
                router(config, layer));
    }

    private static List<FeedForward> feedForwards(ModelConfig config, Layer layer) {
        TensorNames names = layer.names();
        Optional<ExpertShape> experts = expertsOf(config, layer);
        if (experts.isEmpty()) {
            return List.of(layer.feedForward(
                    OptionalInt.empty(),
                    names.mlpIn(),
                    names.mlpOut(),
                    config.hiddenSize(),
                    config.intermediateSize(),
                    config.mlpBias()));
        }
        ExpertNames expertNames = config.family().experts().orElseThrow();
        List<FeedForward> all = new ArrayList<>();
        for (int i = 0; i < experts.get().count(); i++) {
            int expert = i;
            all.add(layer.feedForward(
                    OptionalInt.of(expert),
                    expertNames.in().stream()
                            .map(name -> expertNames.ofExpert(expert, name))
                            .toList(),
                    expertNames.ofExpert(expert, expertNames.out()),
                    config.hiddenSize(),
                    experts.get().intermediateSize(),
                    false));
        }
        return all;
    }

    private static Optional<Router> router(ModelConfig config, Layer layer) {
        return expertsOf(config, layer)
                .map(experts -> new Router(
                        new LinearSpec(
                                layer.name(
                                        config.family().experts().orElseThrow().router()),
                                config.hiddenSize(),
                                experts.count(),
                                false),
                        experts.perToken(),
                        experts.normalized()));
    }

    private static Optional<ExpertShape> expertsOf(ModelConfig config, Layer layer) {
        return config.experts().filter(experts -> !experts.denseLayers().contains(layer.index()));
    }

    /** Makes the parts of a layer from the names that its family has for them. */
    private record Layer(TensorNames names, int index) {

        String name(String within) {
            return names.inLayer(index, within);
        }

        LayerNorms norms(NormFlavour flavour) {
            TensorNames.Norms norms = names.norms();
            return new LayerNorms(
                    new Norm(name(norms.attention()), flavour),
                    new Norm(name(norms.mlp()), flavour),
                    norm(norms.afterAttention(), flavour),
                    norm(norms.afterMlp(), flavour),
                    norm(norms.query(), flavour),
                    norm(norms.key(), flavour));
        }

        private Optional<Norm> norm(Optional<String> within, NormFlavour flavour) {
            return within.map(tensor -> new Norm(name(tensor), flavour));
        }

        FeedForward feedForward(OptionalInt expert, List<String> in, String out, int hidden, int inner, boolean bias) {
            return new FeedForward(
                    stage(Stage.Kind.MLP_IN, expert, in, hidden, List.of(inner, inner), bias),
                    stage(Stage.Kind.MLP_OUT, expert, List.of(out), inner, List.of(hidden), bias));
        }

        /** A linear for each name and width, or a fused one of all widths where there is but one name. */
        Stage stage(
                Stage.Kind kind, OptionalInt expert, List<String> modules, int in, List<Integer> widths, boolean bias) {
            List<LinearSpec> linears = new ArrayList<>();
            if (modules.size() == 1) {
                int all = widths.stream().mapToInt(Integer::intValue).sum();
                linears.add(new LinearSpec(name(modules.getFirst()), in, all, bias));
            } else {
                for (int i = 0; i < widths.size(); i++) {
                    linears.add(new LinearSpec(name(modules.get(i)), in, widths.get(i), bias));
                }
            }
            return new Stage(kind, linears, widths.getLast(), expert);
        }
    }

    /** All linears of all layers, in the order they are computed. */
    public List<LinearSpec> linears() {
        return layers.stream().flatMap(layer -> layer.linears().stream()).toList();
    }

    /** The weight whose type is taken for that of the whole model: that of the first linear. */
    public String leadingWeight() {
        return layers.getFirst().linears().getFirst().weightName();
    }

    /**
     * A tensor that the model needs.
     *
     * @param rows one for a vector
     */
    public record Expected(String name, int rows, int columns) {}

    /** All tensors that the model needs; the embedding once more where it is the output head. */
    public List<Expected> tensors() {
        List<Expected> tensors = new ArrayList<>();
        tensors.add(new Expected(embedding, config.vocabSize(), config.hiddenSize()));
        for (DecoderLayer layer : layers) {
            layer.norms().ofStream().forEach(norm -> tensors.add(new Expected(norm.tensor(), 1, config.hiddenSize())));
            layer.norms().ofHeads().forEach(norm -> tensors.add(new Expected(norm.tensor(), 1, config.headDim())));
            layer.router()
                    .map(Router::linear)
                    .ifPresent(linear -> tensors.add(new Expected(linear.weightName(), linear.out(), linear.in())));
            for (LinearSpec linear : layer.linears()) {
                tensors.add(new Expected(linear.weightName(), linear.out(), linear.in()));
                if (linear.bias()) {
                    tensors.add(new Expected(linear.biasName(), 1, linear.out()));
                }
            }
        }
        tensors.add(new Expected(finalNorm.tensor(), 1, config.hiddenSize()));
        tensors.add(new Expected(outputHead, config.vocabSize(), config.hiddenSize()));
        return tensors;
    }

    /**
     * Checks that a source has every tensor in the right shape, so that what is missing is known before any work is done
     * and before memory is taken for sizes that only the configuration knows of.
     *
     * @throws io.gpuquant.InputException when one is missing or has another shape
     */
    public void requireTensors(WeightSource source) {
        tensors().forEach(tensor -> source.require(tensor.name(), tensor.rows(), tensor.columns()));
    }

    /** Whether the output head is the embedding. */
    public boolean isTied() {
        return outputHead.equals(embedding);
    }
}
