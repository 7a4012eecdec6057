package io.gpuquant.model;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.InputException;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads the rotary embedding from a config.json in either of the two notations that checkpoints have: the keys
 * {@code rope_theta} and {@code rope_scaling}, or {@code rope_parameters}, which transformers 5 writes. A file that has
 * both must say the same in both.
 */
final class RopeReader {

    private static final String THETA = "rope_theta";
    private static final String SCALING = "rope_scaling";
    private static final String PARAMETERS = "rope_parameters";
    private static final String ORIGINAL_CONTEXT = "original_max_position_embeddings";
    private static final String PARTIAL = "partial_rotary_factor";

    private static final String WHOLE = "full_attention";
    private static final String WINDOWED = "sliding_attention";
    private static final String LOCAL_THETA = "rope_local_base_freq";
    private static final double DEFAULT_LOCAL_THETA = 10_000;

    private final ConfigObject config;
    private final int maxPositions;
    private final int headDim;

    private RopeReader(ConfigObject config, int maxPositions, int headDim) {
        this.config = config;
        this.maxPositions = maxPositions;
        this.headDim = headDim;
    }

    /**
     * The rotary embeddings of a model.
     *
     * @param whole of layers that attend to all before
     * @param windowed of layers with a sliding window; in most families the same
     */
    record Ropes(RopeParameters whole, RopeParameters windowed) {}

    static Ropes read(ConfigObject config, ModelFamily family, int maxPositions, int headDim) {
        return new RopeReader(config, maxPositions, headDim).read(family);
    }

    private Ropes read(ModelFamily family) {
        double defaultTheta = family.defaults().ropeTheta();
        Optional<ConfigObject> parameters = config.object(PARAMETERS);
        if (!family.has(ModelFamily.Trait.PARTIAL_ROTARY)) {
            refusePartialRotation(config);
            parameters.ifPresent(RopeReader::refusePartialRotation);
            config.object(SCALING).ifPresent(RopeReader::refusePartialRotation);
        }
        if (!family.has(ModelFamily.Trait.LOCAL_ROPE)) {
            parameters.ifPresent(RopeReader::refuseNested);
            RopeParameters one = read(parameters, defaultTheta);
            return new Ropes(one, one);
        }
        Optional<ConfigObject> whole = parameters.flatMap(object -> object.object(WHOLE));
        Optional<ConfigObject> windowed = parameters.flatMap(object -> object.object(WINDOWED));
        double localTheta = config.positiveNumber(LOCAL_THETA, DEFAULT_LOCAL_THETA);
        return new Ropes(
                read(whole.or(() -> parameters), defaultTheta),
                windowed.map(local ->
                                new RopeParameters(local.positiveNumber(THETA, localTheta), scaling(local, headDim)))
                        .orElseGet(() -> new RopeParameters(localTheta, new RopeScaling.None())));
    }

    private RopeParameters read(Optional<ConfigObject> parameters, double defaultTheta) {
        double fraction = fraction(parameters);
        int rotated = (int) (headDim * fraction);
        if (rotated < 2 || rotated % 2 != 0) {
            throw config.refuse(
                    PARTIAL,
                    "is " + fraction + ", which leaves " + rotated + " of the " + headDim
                            + " elements of a head to be rotated, and a rotary embedding needs pairs"
                            + ConfigObject.RESTORE);
        }
        Optional<RopeScaling> newScaling = parameters.map(object -> scaling(object, rotated));
        Optional<RopeScaling> oldScaling = config.object(SCALING).map(object -> scaling(object, rotated));
        if (newScaling.isPresent() && oldScaling.isPresent() && !newScaling.equals(oldScaling)) {
            throw disagreement(SCALING, PARAMETERS);
        }
        return new RopeParameters(
                theta(parameters, defaultTheta),
                newScaling.or(() -> oldScaling).orElseGet(RopeScaling.None::new),
                fraction);
    }

    private double fraction(Optional<ConfigObject> parameters) {
        double fraction = parameters
                .filter(object -> object.has(PARTIAL))
                .map(object -> object.positiveNumber(PARTIAL))
                .orElseGet(() -> config.positiveNumber(PARTIAL, 1));
        if (fraction > 1 || config.has(PARTIAL) && config.positiveNumber(PARTIAL) != fraction) {
            throw config.refuse(
                    PARTIAL, "is above 1, or not what it is for the rotary embedding" + ConfigObject.RESTORE);
        }
        return fraction;
    }

    private double theta(Optional<ConfigObject> parameters, double defaultTheta) {
        Optional<ConfigObject> nested = parameters.filter(object -> object.has(THETA));
        double outer = config.positiveNumber(THETA, defaultTheta);
        double inner = nested.map(object -> object.positiveNumber(THETA)).orElse(outer);
        if (config.has(THETA) && inner != outer) {
            throw disagreement(THETA, PARAMETERS + "." + THETA);
        }
        return inner;
    }

    private RopeScaling scaling(ConfigObject rope, int rotated) {
        // Files from before Llama 3.1 call the key "type".
        String key = rope.has("rope_type") ? "rope_type" : "type";
        String type = rope.optionalText(key).orElse("default");
        return switch (type) {
            // Dynamic scaling begins beyond max_position_embeddings, and no sequence is longer here.
            case "default", "dynamic" -> new RopeScaling.None();
            case "linear" -> new RopeScaling.Linear(rope.positiveNumber("factor"));
            case "llama3" -> llama3(rope);
            case "yarn" -> yarn(rope);
            case "longrope", "su" -> longRope(rope, rotated / 2);
            default ->
                throw rope.refuse(
                        key,
                        "is " + rope.shown(key) + ", which is not supported; use a model whose type is default, linear,"
                                + " dynamic, llama3, yarn or longrope");
        };
    }

    /** Of the two notations of what cosines are multiplied by, {@code attention_factor} counts before {@code mscale}. */
    private RopeScaling yarn(ConfigObject rope) {
        int original = originalContext(rope);
        double factor = rope.positiveNumber("factor", (double) maxPositions / original);
        double magnitude = rope.has("mscale") && rope.has("mscale_all_dim")
                ? RopeScaling.Yarn.usualMagnitude(factor, rope.positiveNumber("mscale"))
                        / RopeScaling.Yarn.usualMagnitude(factor, rope.positiveNumber("mscale_all_dim"))
                : RopeScaling.Yarn.usualMagnitude(factor, 1);
        double fast = rope.positiveNumber("beta_fast", 32);
        double slow = rope.positiveNumber("beta_slow", 1);
        if (fast <= slow) {
            throw rope.refuse("beta_fast", "is " + fast + ", not above beta_slow " + slow + ConfigObject.RESTORE);
        }
        return new RopeScaling.Yarn(
                factor,
                new RopeScaling.YarnTurns(fast, slow, rope.flag("truncate", true)),
                rope.positiveNumber("attention_factor", magnitude),
                original);
    }

    private RopeScaling longRope(ConfigObject rope, int pairs) {
        int original = originalContext(rope);
        double factor = rope.positiveNumber("factor", (double) maxPositions / original);
        double magnitude = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
        return new RopeScaling.LongRope(
                factors(rope, "short_factor", pairs),
                factors(rope, "long_factor", pairs),
                rope.positiveNumber("attention_factor", magnitude),
                original);
    }

    private static List<Double> factors(ConfigObject rope, String key, int pairs) {
        List<Double> factors = rope.positiveNumbers(key);
        if (factors.size() != pairs) {
            throw rope.refuse(
                    key,
                    "has " + factors.size() + " numbers, not one for each of the " + pairs
                            + " pairs of elements that are rotated" + ConfigObject.RESTORE);
        }
        return factors;
    }

    private RopeScaling llama3(ConfigObject rope) {
        double low = rope.positiveNumber("low_freq_factor");
        double high = rope.positiveNumber("high_freq_factor");
        if (high <= low) {
            throw rope.refuse(
                    "high_freq_factor", "is " + high + ", not above low_freq_factor " + low + ConfigObject.RESTORE);
        }
        return new RopeScaling.Llama3(rope.positiveNumber("factor"), low, high, originalContext(rope));
    }

    private int originalContext(ConfigObject rope) {
        int outer = config.positiveInt(ORIGINAL_CONTEXT, maxPositions);
        int inner = rope.positiveInt(ORIGINAL_CONTEXT, outer);
        if (config.has(ORIGINAL_CONTEXT) && inner != outer) {
            throw disagreement(ORIGINAL_CONTEXT, "the value of the same name for the rotary embedding");
        }
        return inner;
    }

    private static void refusePartialRotation(ConfigObject object) {
        if (object.positiveNumber(PARTIAL, 1) != 1) {
            throw object.refuse(
                    PARTIAL,
                    "is not 1, and rotating only a part of each head is not supported for this model type; use a model"
                            + " that rotates whole heads");
        }
    }

    private static void refuseNested(ConfigObject parameters) {
        for (Map.Entry<String, JsonNode> entry : parameters.node().properties()) {
            if (entry.getValue().isObject()) {
                throw parameters.refuse(
                        entry.getKey(),
                        "gives a rotary embedding per kind of layer, which is not supported; use a model with one for"
                                + " all layers");
            }
        }
    }

    private InputException disagreement(String oldKey, String newKey) {
        return config.refuse(oldKey, "disagrees with " + newKey + "; remove the wrong one of the two from the file");
    }
}
