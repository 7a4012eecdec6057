package io.gpuquant.model;

import java.util.ArrayList;
import java.util.List;

/**
 * A whole model as data: which tensors there are, what shape they have and which linears share an input.
 *
 * @param embedding the tensor with the token embedding, [vocabulary, hidden]
 * @param layers the decoder layers, in order
 * @param finalNorm the tensor with the weight of the last norm
 * @param outputHead the tensor with the output head, [vocabulary, hidden]; the embedding where they are tied
 */
public record ModelStructure(
        ModelConfig config, String embedding, List<DecoderLayer> layers, String finalNorm, String outputHead) {

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
                names.finalNorm(),
                config.tieWordEmbeddings() ? names.embedding() : names.outputHead());
    }

    private static DecoderLayer layer(ModelConfig config, TensorNames names, int index) {
        int hidden = config.hiddenSize();
        int inner = config.intermediateSize();
        int queries = config.queryWidth();
        int keys = config.keyValueWidth();
        boolean attentionBias = config.attentionBias();
        boolean mlpBias = config.mlpBias();
        return new DecoderLayer(
                index,
                names.inLayer(index, names.attentionNorm()),
                names.inLayer(index, names.mlpNorm()),
                List.of(
                        new Stage(
                                Stage.Kind.ATTENTION_IN,
                                List.of(
                                        new LinearSpec(
                                                names.inLayer(index, names.query()), hidden, queries, attentionBias),
                                        new LinearSpec(names.inLayer(index, names.key()), hidden, keys, attentionBias),
                                        new LinearSpec(
                                                names.inLayer(index, names.value()), hidden, keys, attentionBias))),
                        new Stage(
                                Stage.Kind.ATTENTION_OUT,
                                List.of(new LinearSpec(
                                        names.inLayer(index, names.attentionOut()), queries, hidden, attentionBias))),
                        new Stage(
                                Stage.Kind.MLP_IN,
                                List.of(
                                        new LinearSpec(names.inLayer(index, names.gate()), hidden, inner, mlpBias),
                                        new LinearSpec(names.inLayer(index, names.up()), hidden, inner, mlpBias))),
                        new Stage(
                                Stage.Kind.MLP_OUT,
                                List.of(new LinearSpec(names.inLayer(index, names.down()), inner, hidden, mlpBias)))));
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
     * Checks that a source has every tensor in the right shape, so that what is missing is known before any work is done
     * and before memory is taken for sizes that only the configuration knows of.
     *
     * @throws io.gpuquant.InputException when one is missing or has another shape
     */
    public void requireTensors(WeightSource source) {
        source.require(embedding, config.vocabSize(), config.hiddenSize());
        for (DecoderLayer layer : layers) {
            source.require(layer.attentionNorm(), 1, config.hiddenSize());
            source.require(layer.mlpNorm(), 1, config.hiddenSize());
            for (LinearSpec linear : layer.linears()) {
                source.require(linear.weightName(), linear.out(), linear.in());
                if (linear.bias()) {
                    source.require(linear.biasName(), 1, linear.out());
                }
            }
        }
        source.require(finalNorm, 1, config.hiddenSize());
        source.require(outputHead, config.vocabSize(), config.hiddenSize());
    }

    /** Whether the output head is the embedding. */
    public boolean isTied() {
        return outputHead.equals(embedding);
    }
}
