package io.gpuquant.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * Llama (Touvron et al., arXiv 2302.13971, with grouped queries and the rotary scaling of Llama 3.1) in float64: one sequence
 * at a time, one token after another, one method per operation, and nothing shared with what it is there to check.
 */
public final class ReferenceLlama {

    private final ObjectNode config;
    private final Function<String, double[]> weights;
    private final int hiddenSize;
    private final int heads;
    private final int keyValueHeads;
    private final int headDim;

    /**
     * @param config the config.json
     * @param weights gives a tensor by name, row by row
     */
    public ReferenceLlama(ObjectNode config, Function<String, double[]> weights) {
        this.config = config;
        this.weights = weights;
        hiddenSize = config.path("hidden_size").intValue();
        heads = config.path("num_attention_heads").intValue();
        keyValueHeads = config.path("num_key_value_heads").asInt(heads);
        headDim = config.path("head_dim").asInt(hiddenSize / heads);
    }

    /** The reference for a model. */
    public static ReferenceLlama of(RandomModel model) {
        return new ReferenceLlama(model.config(), model::values);
    }

    /**
     * What is computed for one sequence.
     *
     * @param hidden [length][hidden size], before the first layer and after each
     * @param stageInputs [length][features], the inputs of the stages of each layer, layer by layer
     * @param normalized [length][hidden size], after the final norm
     * @param logits [length][vocabulary]
     */
    public record Pass(
            List<double[][]> hidden, List<double[][]> stageInputs, double[][] normalized, double[][] logits) {}

    /** Runs the model over a sequence. */
    public Pass run(int... ids) {
        List<double[][]> hidden = new ArrayList<>();
        List<double[][]> stageInputs = new ArrayList<>();
        double[][] x = embed(ids);
        hidden.add(x);
        for (int layer = 0; layer < config.path("num_hidden_layers").intValue(); layer++) {
            x = layer("model.layers." + layer + ".", x, stageInputs);
            hidden.add(x);
        }
        double[][] normalized = rmsNorm(x, "model.norm.weight");
        boolean tied = config.path("tie_word_embeddings").asBoolean();
        String head = tied ? "model.embed_tokens.weight" : "lm_head.weight";
        return new Pass(hidden, stageInputs, normalized, multiply(normalized, weights.apply(head)));
    }

    /** Log-probabilities of the tokens of a sequence from the second on. */
    public double[] logProbabilities(int... ids) {
        double[][] logits = run(ids).logits();
        double[] result = new double[ids.length - 1];
        for (int i = 1; i < ids.length; i++) {
            double sum = 0;
            double largest = largest(logits[i - 1]);
            for (double logit : logits[i - 1]) {
                sum += Math.exp(logit - largest);
            }
            result[i - 1] = logits[i - 1][ids[i]] - largest - Math.log(sum);
        }
        return result;
    }

    private double[][] embed(int... ids) {
        double[] table = weights.apply("model.embed_tokens.weight");
        double[][] rows = new double[ids.length][hiddenSize];
        for (int i = 0; i < ids.length; i++) {
            System.arraycopy(table, ids[i] * hiddenSize, rows[i], 0, hiddenSize);
        }
        return rows;
    }

    private double[][] layer(String prefix, double[][] x, List<double[][]> stageInputs) {
        double[][] a = rmsNorm(x, prefix + "input_layernorm.weight");
        double[][] attended = attention(
                rotate(linear(a, prefix + "self_attn.q_proj")),
                rotate(linear(a, prefix + "self_attn.k_proj")),
                linear(a, prefix + "self_attn.v_proj"));
        double[][] afterAttention = add(x, linear(attended, prefix + "self_attn.o_proj"));
        double[][] b = rmsNorm(afterAttention, prefix + "post_attention_layernorm.weight");
        double[][] activated = swiglu(linear(b, prefix + "mlp.gate_proj"), linear(b, prefix + "mlp.up_proj"));
        stageInputs.addAll(List.of(a, attended, b, activated));
        return add(afterAttention, linear(activated, prefix + "mlp.down_proj"));
    }

    private double[][] rmsNorm(double[][] x, String weightName) {
        double[] weight = weights.apply(weightName);
        double epsilon = config.path("rms_norm_eps").doubleValue();
        double[][] out = new double[x.length][hiddenSize];
        for (int t = 0; t < x.length; t++) {
            double squares = 0;
            for (double value : x[t]) {
                squares += value * value;
            }
            for (int i = 0; i < hiddenSize; i++) {
                out[t][i] = x[t][i] / Math.sqrt(squares / hiddenSize + epsilon) * weight[i];
            }
        }
        return out;
    }

    private double[][] linear(double[][] x, String name) {
        double[][] out = multiply(x, weights.apply(name + ".weight"));
        boolean mlp = name.contains(".mlp.");
        if (config.path(mlp ? "mlp_bias" : "attention_bias").asBoolean()) {
            double[] bias = weights.apply(name + ".bias");
            for (double[] row : out) {
                for (int i = 0; i < row.length; i++) {
                    row[i] += bias[i];
                }
            }
        }
        return out;
    }

    /** {@code x · weightᵀ}. */
    private static double[][] multiply(double[][] x, double[] weight) {
        int in = x[0].length;
        int outFeatures = weight.length / in;
        double[][] product = new double[x.length][outFeatures];
        for (int t = 0; t < x.length; t++) {
            for (int o = 0; o < outFeatures; o++) {
                for (int i = 0; i < in; i++) {
                    product[t][o] += x[t][i] * weight[o * in + i];
                }
            }
        }
        return product;
    }

    /** Turns element i of each head and element i + headDim / 2 by the angle of position and pair. */
    private double[][] rotate(double[][] x) {
        int half = headDim / 2;
        double[][] out = new double[x.length][x[0].length];
        for (int t = 0; t < x.length; t++) {
            for (int first = 0; first < x[t].length; first += headDim) {
                for (int i = 0; i < half; i++) {
                    double angle = t * frequency(i);
                    double a = x[t][first + i];
                    double b = x[t][first + i + half];
                    out[t][first + i] = a * Math.cos(angle) - b * Math.sin(angle);
                    out[t][first + i + half] = b * Math.cos(angle) + a * Math.sin(angle);
                }
            }
        }
        return out;
    }

    private double frequency(int pair) {
        JsonNode rope = config.path("rope_parameters");
        JsonNode scaling = rope.isObject() ? rope : config.path("rope_scaling");
        double theta =
                rope.path("rope_theta").asDouble(config.path("rope_theta").asDouble(10_000));
        double plain = Math.pow(theta, -2.0 * pair / headDim);
        double stretched = plain / scaling.path("factor").asDouble(1);
        String type = scaling.path("rope_type").asText(scaling.path("type").asText("default"));
        if (!type.equals("llama3")) {
            return stretched;
        }
        double low = scaling.path("low_freq_factor").doubleValue();
        double high = scaling.path("high_freq_factor").doubleValue();
        double turns = scaling.path("original_max_position_embeddings").doubleValue() * plain / (2 * Math.PI);
        double keep = Math.clamp((turns - low) / (high - low), 0.0, 1.0);
        return keep * plain + (1 - keep) * stretched;
    }

    /** Every query sees the keys up to its own; consecutive query heads share a key head. */
    private double[][] attention(double[][] queries, double[][] keys, double[][] values) {
        double[][] out = new double[queries.length][heads * headDim];
        for (int t = 0; t < queries.length; t++) {
            for (int head = 0; head < heads; head++) {
                int query = head * headDim;
                int key = head / (heads / keyValueHeads) * headDim;
                double[] scores = new double[t + 1];
                for (int s = 0; s <= t; s++) {
                    for (int i = 0; i < headDim; i++) {
                        scores[s] += queries[t][query + i] * keys[s][key + i] / Math.sqrt(headDim);
                    }
                }
                double[] shares = softmax(scores);
                for (int s = 0; s <= t; s++) {
                    for (int i = 0; i < headDim; i++) {
                        out[t][query + i] += shares[s] * values[s][key + i];
                    }
                }
            }
        }
        return out;
    }

    private static double[] softmax(double... scores) {
        double largest = largest(scores);
        double sum = 0;
        double[] shares = new double[scores.length];
        for (int i = 0; i < scores.length; i++) {
            shares[i] = Math.exp(scores[i] - largest);
            sum += shares[i];
        }
        for (int i = 0; i < scores.length; i++) {
            shares[i] /= sum;
        }
        return shares;
    }

    private static double largest(double... values) {
        double largest = Double.NEGATIVE_INFINITY;
        for (double value : values) {
            largest = Math.max(largest, value);
        }
        return largest;
    }

    private static double[][] swiglu(double[][] gate, double[][] up) {
        double[][] out = new double[gate.length][gate[0].length];
        for (int t = 0; t < gate.length; t++) {
            for (int i = 0; i < gate[t].length; i++) {
                out[t][i] = gate[t][i] / (1 + Math.exp(-gate[t][i])) * up[t][i];
            }
        }
        return out;
    }

    private static double[][] add(double[][] a, double[][] b) {
        double[][] sum = new double[a.length][a[0].length];
        for (int t = 0; t < a.length; t++) {
            for (int i = 0; i < a[t].length; i++) {
                sum[t][i] = a[t][i] + b[t][i];
            }
        }
        return sum;
    }
}
