package io.gpuquant.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;

/**
 * Llama (Touvron et al., arXiv 2302.13971, with grouped queries and the rotary scaling of Llama 3.1) and the families that
 * differ from it in this or that, in float64: one sequence at a time, one token after another, one method per operation, and
 * nothing shared with what it is there to check.
 */
public final class ReferenceDecoder {

    private final ObjectNode config;
    private final Function<String, double[]> weights;
    private final int hiddenSize;
    private final int heads;
    private final int keyValueHeads;
    private final int headDim;
    private final String type;

    /**
     * @param config the config.json
     * @param weights gives a tensor by name, row by row
     */
    public ReferenceDecoder(ObjectNode config, Function<String, double[]> weights) {
        this.config = config;
        this.weights = weights;
        hiddenSize = config.path("hidden_size").intValue();
        heads = config.path("num_attention_heads").intValue();
        keyValueHeads = config.path("num_key_value_heads").asInt(heads);
        headDim = config.path("head_dim").asInt(hiddenSize / heads);
        type = config.path("model_type").textValue();
    }

    /** The reference for a model. */
    public static ReferenceDecoder of(RandomModel model) {
        return new ReferenceDecoder(model.config(), model::values);
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
            x = layer(layer, x, stageInputs);
            hidden.add(x);
        }
        double[][] normalized = rmsNorm(x, "model.norm.weight");
        boolean tied = config.path("tie_word_embeddings").asBoolean(isGemma());
        String head = tied ? "model.embed_tokens.weight" : "lm_head.weight";
        double[][] logits = multiply(normalized, weights.apply(head));
        double cap = config.path("final_logit_softcapping").asDouble();
        for (double[] row : logits) {
            for (int i = 0; cap > 0 && i < row.length; i++) {
                row[i] = cap * Math.tanh(row[i] / cap);
            }
        }
        return new Pass(hidden, stageInputs, normalized, logits);
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
            for (int c = 0; c < hiddenSize; c++) {
                rows[i][c] = table[ids[i] * hiddenSize + c] * (isGemma() ? embeddingScale() : 1);
            }
        }
        return rows;
    }

    private boolean isGemma() {
        return type.startsWith("gemma");
    }

    private boolean isMixture(int layer) {
        int step = config.path("decoder_sparse_step").asInt(1);
        boolean listed = false;
        for (JsonNode dense : config.path("mlp_only_layers")) {
            listed |= dense.intValue() == layer;
        }
        return type.equals("mixtral") || type.equals("qwen3_moe") && (layer + 1) % step == 0 && !listed;
    }

    private double embeddingScale() {
        float root = (float) Math.sqrt(hiddenSize);
        return switch (config.path("dtype").asText(config.path("torch_dtype").asText("float16"))) {
            case "float16" -> Float.float16ToFloat(Float.floatToFloat16(root));
            // The eight bits of the significand that are left, to nearest; no tie among square roots of these tests.
            case "bfloat16" -> Float.intBitsToFloat(Float.floatToIntBits(root) + 0x8000 & 0xffff0000);
            default -> root;
        };
    }

    private double[][] layer(int layer, double[][] x, List<double[][]> stageInputs) {
        String prefix = "model.layers." + layer + ".";
        boolean fourNorms = type.equals("gemma2") || type.equals("gemma3_text");
        double[][] a = rmsNorm(x, prefix + "input_layernorm.weight");
        double[][] attended = attention(a, layer, prefix);
        double[][] attention = linear(attended, prefix + "self_attn.o_proj");
        if (fourNorms) {
            attention = rmsNorm(attention, prefix + "post_attention_layernorm.weight");
        }
        double[][] afterAttention = add(x, attention);
        double[][] b = rmsNorm(
                afterAttention,
                prefix + (fourNorms ? "pre_feedforward_layernorm.weight" : "post_attention_layernorm.weight"));
        if (isMixture(layer)) {
            return add(afterAttention, mixture(b, prefix));
        }
        double[][] activated = mlp(b, prefix);
        stageInputs.addAll(List.of(a, attended, b, activated));
        double[][] mlp = linear(activated, prefix + "mlp.down_proj");
        return add(afterAttention, fourNorms ? rmsNorm(mlp, prefix + "post_feedforward_layernorm.weight") : mlp);
    }

    private double[][] mlp(double[][] x, String prefix) {
        if (type.equals("phi3")) {
            double[][] both = linear(x, prefix + "mlp.gate_up_proj");
            int inner = both[0].length / 2;
            return gated(columns(both, 0, inner), columns(both, inner, inner));
        }
        return gated(linear(x, prefix + "mlp.gate_proj"), linear(x, prefix + "mlp.up_proj"));
    }

    private double[][] attention(double[][] x, int layer, String prefix) {
        double[][] queries;
        double[][] keys;
        double[][] values;
        if (type.equals("phi3")) {
            double[][] all = linear(x, prefix + "self_attn.qkv_proj");
            queries = columns(all, 0, heads * headDim);
            keys = columns(all, heads * headDim, keyValueHeads * headDim);
            values = columns(all, (heads + keyValueHeads) * headDim, keyValueHeads * headDim);
        } else {
            queries = linear(x, prefix + "self_attn.q_proj");
            keys = linear(x, prefix + "self_attn.k_proj");
            values = linear(x, prefix + "self_attn.v_proj");
        }
        if (type.startsWith("qwen3") || type.equals("gemma3_text")) {
            queries = headNorm(queries, prefix + "self_attn.q_norm.weight");
            keys = headNorm(keys, prefix + "self_attn.k_norm.weight");
        }
        int window = window(layer);
        return attention(rotate(queries, window > 0), rotate(keys, window > 0), values, window);
    }

    private static double[][] columns(double[][] x, int first, int count) {
        double[][] part = new double[x.length][];
        for (int t = 0; t < x.length; t++) {
            part[t] = Arrays.copyOfRange(x[t], first, first + count);
        }
        return part;
    }

    /** Keys that a query of a layer sees; 0 for all. */
    private int window(int layer) {
        int window = config.path("sliding_window").asInt(0);
        if (config.has("layer_types") && !type.equals("qwen3_moe")) {
            return config.path("layer_types").get(layer).textValue().equals("sliding_attention") ? window : 0;
        }
        boolean on = config.path("use_sliding_window").asBoolean();
        int period = config.path("sliding_window_pattern").asInt(6);
        boolean windowed = switch (type) {
            case "mistral", "mixtral", "phi3" -> true;
            case "qwen2", "qwen3" ->
                on && layer >= config.path("max_window_layers").asInt();
            case "qwen3_moe" -> on;
            case "gemma2" -> layer % 2 == 0;
            case "gemma3_text" -> (layer + 1) % period != 0;
            default -> false;
        };
        return windowed ? window : 0;
    }

    /** Each token's experts, weighed by the softmax of the router's logits, over all or over the token's own. */
    private double[][] mixture(double[][] x, String prefix) {
        boolean mixtral = type.equals("mixtral");
        String module = prefix + (mixtral ? "block_sparse_moe." : "mlp.");
        int perToken = config.path("num_experts_per_tok").intValue();
        double[][] logits = multiply(x, weights.apply(module + "gate.weight"));
        double[][] out = new double[x.length][hiddenSize];
        for (int t = 0; t < x.length; t++) {
            double[] shares = softmax(logits[t]);
            int[] order = IntStream.range(0, shares.length)
                    .boxed()
                    .sorted(Comparator.comparingDouble((Integer i) -> -shares[i]))
                    .limit(perToken)
                    .mapToInt(Integer::intValue)
                    .toArray();
            double sum = 0;
            for (int expert : order) {
                sum += shares[expert];
            }
            boolean normalized = mixtral || config.path("norm_topk_prob").asBoolean();
            for (int expert : order) {
                String name = module + "experts." + expert + ".";
                double[][] one = {x[t]};
                double[][] made = multiply(
                        gated(
                                multiply(one, weights.apply(name + (mixtral ? "w1" : "gate_proj") + ".weight")),
                                multiply(one, weights.apply(name + (mixtral ? "w3" : "up_proj") + ".weight"))),
                        weights.apply(name + (mixtral ? "w2" : "down_proj") + ".weight"));
                for (int i = 0; i < hiddenSize; i++) {
                    out[t][i] += shares[expert] / (normalized ? sum : 1) * made[0][i];
                }
            }
        }
        return out;
    }

    /** The norm of each head by itself. */
    private double[][] headNorm(double[][] x, String weightName) {
        double[][] out = new double[x.length][x[0].length];
        for (int first = 0; first < x[0].length; first += headDim) {
            double[][] normalized = rmsNorm(columns(x, first, headDim), weightName);
            for (int t = 0; t < x.length; t++) {
                System.arraycopy(normalized[t], 0, out[t], first, headDim);
            }
        }
        return out;
    }

    private double[][] rmsNorm(double[][] x, String weightName) {
        double[] weight = weights.apply(weightName);
        double epsilon = config.path("rms_norm_eps").doubleValue();
        int width = weight.length;
        double[][] out = new double[x.length][width];
        for (int t = 0; t < x.length; t++) {
            double squares = 0;
            for (double value : x[t]) {
                squares += value * value;
            }
            for (int i = 0; i < width; i++) {
                out[t][i] = x[t][i] / Math.sqrt(squares / width + epsilon) * (isGemma() ? 1 + weight[i] : weight[i]);
            }
        }
        return out;
    }

    private double[][] linear(double[][] x, String name) {
        double[][] out = multiply(x, weights.apply(name + ".weight"));
        if (RandomModel.hasBias(config, name)) {
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

    /** Turns element i of each head and the one half of the rotated elements after it by the angle of position and pair. */
    private double[][] rotate(double[][] x, boolean windowed) {
        int half = (int) (headDim * partialRotation()) / 2;
        double magnitude = magnitude();
        double[][] out = new double[x.length][];
        for (int t = 0; t < x.length; t++) {
            out[t] = x[t].clone();
            for (int first = 0; first < x[t].length; first += headDim) {
                for (int i = 0; i < half; i++) {
                    double angle = t * frequency(i, 2 * half, x.length, windowed);
                    double a = x[t][first + i];
                    double b = x[t][first + i + half];
                    out[t][first + i] = (a * Math.cos(angle) - b * Math.sin(angle)) * magnitude;
                    out[t][first + i + half] = (b * Math.cos(angle) + a * Math.sin(angle)) * magnitude;
                }
            }
        }
        return out;
    }

    private double partialRotation() {
        return config.path("partial_rotary_factor")
                .asDouble(config.path("rope_parameters")
                        .path("partial_rotary_factor")
                        .asDouble(1));
    }

    private boolean isLongRope(JsonNode scaling) {
        return List.of("su", "longrope").contains(ropeType(scaling));
    }

    private static String ropeType(JsonNode scaling) {
        return scaling.path("rope_type").asText(scaling.path("type").asText("default"));
    }

    private JsonNode scaling() {
        JsonNode rope = config.path("rope_parameters");
        return rope.isObject() ? rope : config.path("rope_scaling");
    }

    private double original(JsonNode scaling) {
        return scaling.path("original_max_position_embeddings")
                .asDouble(config.path("original_max_position_embeddings").doubleValue());
    }

    private double magnitude() {
        JsonNode scaling = scaling();
        if (!isLongRope(scaling)) {
            return 1;
        }
        double original = original(scaling);
        double factor = scaling.path("factor")
                .asDouble(config.path("max_position_embeddings").doubleValue() / original);
        double usual = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
        return scaling.path("attention_factor").asDouble(usual);
    }

    private double frequency(int pair, int rotated, int length, boolean windowed) {
        JsonNode scaling = scaling();
        double usual =
                config.path("rope_theta").asDouble(type.equals("gemma3_text") || type.equals("mixtral") ? 1e6 : 10_000);
        if (type.equals("gemma3_text") && scaling.has("full_attention")) {
            scaling = scaling.path(windowed ? "sliding_attention" : "full_attention");
        } else if (type.equals("gemma3_text") && windowed) {
            return Math.pow(config.path("rope_local_base_freq").asDouble(10_000), -2.0 * pair / rotated);
        }
        double theta = scaling.path("rope_theta").asDouble(usual);
        double plain = Math.pow(theta, -2.0 * pair / rotated);
        if (isLongRope(scaling)) {
            String factors = length > original(scaling) ? "long_factor" : "short_factor";
            return plain / scaling.path(factors).get(pair).doubleValue();
        }
        double stretched = plain / scaling.path("factor").asDouble(1);
        if (!ropeType(scaling).equals("llama3")) {
            return stretched;
        }
        double low = scaling.path("low_freq_factor").doubleValue();
        double high = scaling.path("high_freq_factor").doubleValue();
        double turns = scaling.path("original_max_position_embeddings").doubleValue() * plain / (2 * Math.PI);
        double keep = Math.clamp((turns - low) / (high - low), 0.0, 1.0);
        return keep * plain + (1 - keep) * stretched;
    }

    /** Every query sees the keys up to its own, or a window of them; consecutive query heads share a key head. */
    private double[][] attention(double[][] queries, double[][] keys, double[][] values, int window) {
        double[][] out = new double[queries.length][heads * headDim];
        double cap = config.path("attn_logit_softcapping").asDouble();
        double divisor = Math.sqrt(config.path("query_pre_attn_scalar").asDouble(headDim));
        for (int t = 0; t < queries.length; t++) {
            int first = window > 0 ? Math.max(0, t + 1 - window) : 0;
            for (int head = 0; head < heads; head++) {
                int query = head * headDim;
                int key = head / (heads / keyValueHeads) * headDim;
                double[] scores = new double[t + 1 - first];
                for (int s = first; s <= t; s++) {
                    double score = 0;
                    for (int i = 0; i < headDim; i++) {
                        score += queries[t][query + i] * keys[s][key + i] / divisor;
                    }
                    scores[s - first] = cap > 0 ? cap * Math.tanh(score / cap) : score;
                }
                double[] shares = softmax(scores);
                for (int s = first; s <= t; s++) {
                    for (int i = 0; i < headDim; i++) {
                        out[t][query + i] += shares[s - first] * values[s][key + i];
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

    private double[][] gated(double[][] gate, double[][] up) {
        double[][] out = new double[gate.length][gate[0].length];
        for (int t = 0; t < gate.length; t++) {
            for (int i = 0; i < gate[t].length; i++) {
                double g = gate[t][i];
                double activated = isGemma()
                        ? g / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (g + 0.044715 * g * g * g)))
                        : g / (1 + Math.exp(-g));
                out[t][i] = activated * up[t][i];
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
