package io.gpuquant.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.tensor.DType;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What the config.json of a checkpoint says about the shape and the arithmetic of a decoder-only transformer. Components
 * are named after the keys of that file.
 *
 * @param family what holds for every checkpoint of this {@code model_type}
 * @param hiddenSize width of the residual stream
 * @param intermediateSize width of the MLP's inner layer
 * @param numHiddenLayers decoder layers
 * @param numAttentionHeads query heads
 * @param numKeyValueHeads key and value heads; divides {@code numAttentionHeads}
 * @param headDim elements of one head; even, and not always {@code hiddenSize / numAttentionHeads}
 * @param vocabSize rows of the embedding and of the output head
 * @param rmsNormEps what RMSNorm adds to the mean square
 * @param maxPositionEmbeddings the longest context, in tokens
 * @param tieWordEmbeddings whether the output head is the embedding
 * @param attentionBias whether the attention's linears have biases, those of a family whose output projection never has
 *     excepted
 * @param mlpBias whether the MLP's linears have biases
 * @param activation the MLP's activation, {@code hidden_act}
 * @param dtype the element type the file names ({@code torch_dtype} or {@code dtype}); the tensors themselves decide
 * @param rope the rotary embedding, of layers without a window where there are two
 * @param attentionRules how keys are weighed
 * @param finalCap logits become {@code finalCap * tanh(logit / finalCap)}; 0 for logits as they are
 * @param experts the experts that layers have in place of an MLP; empty for a model without
 * @param raw the file as it is
 */
public record ModelConfig(
        ModelFamily family,
        int hiddenSize,
        int intermediateSize,
        int numHiddenLayers,
        int numAttentionHeads,
        int numKeyValueHeads,
        int headDim,
        int vocabSize,
        double rmsNormEps,
        int maxPositionEmbeddings,
        boolean tieWordEmbeddings,
        boolean attentionBias,
        boolean mlpBias,
        Activation activation,
        Optional<DType> dtype,
        RopeParameters rope,
        AttentionRules attentionRules,
        double finalCap,
        Optional<ExpertShape> experts,
        ObjectNode raw) {

    public ModelConfig {
        raw = raw.deepCopy();
    }

    /**
     * Reads {@code config.json} in a checkpoint folder.
     *
     * @throws io.gpuquant.InputException when the folder or the file is missing, is not JSON, or describes a model that is
     *     damaged or not supported; the message names the file and the key
     */
    public static ModelConfig read(Path modelFolder) {
        return ConfigReader.read(modelFolder);
    }

    /** The file as it is, in a copy that may be changed. */
    @Override
    public ObjectNode raw() {
        return raw.deepCopy();
    }

    /**
     * The {@code quantization_config} of a checkpoint that is already quantized, in a copy that may be changed. Such a
     * checkpoint is not refused here: whoever needs plain weights refuses it.
     */
    public Optional<ObjectNode> quantizationConfig() {
        return raw.path("quantization_config") instanceof ObjectNode object
                ? Optional.of(object.deepCopy())
                : Optional.empty();
    }

    /** Width of all query heads together, the input of the attention's output projection. */
    public int queryWidth() {
        return numAttentionHeads * headDim;
    }

    /** Width of all key heads together, and of all value heads. */
    public int keyValueWidth() {
        return numKeyValueHeads * headDim;
    }

    /** Width of the inner layer of the widest MLP or expert. */
    public int widestInner() {
        return Math.max(
                intermediateSize, experts.map(ExpertShape::intermediateSize).orElse(0));
    }

    /** How many query heads share a key head. */
    public int queriesPerKeyValueHead() {
        return numAttentionHeads / numKeyValueHeads;
    }
}
