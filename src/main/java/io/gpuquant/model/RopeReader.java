package io.gpuquant.model;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.InputException;
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

    private final ConfigObject config;
    private final int maxPositions;

    private RopeReader(ConfigObject config, int maxPositions) {
        this.config = config;
        this.maxPositions = maxPositions;
    }

    static RopeParameters read(ConfigObject config, ModelFamily family, int maxPositions) {
        return new RopeReader(config, maxPositions).read(family.defaultRopeTheta());
    }

    private RopeParameters read(double defaultTheta) {
        refusePartialRotation(config);
        Optional<ConfigObject> parameters = config.object(PARAMETERS);
        parameters.ifPresent(RopeReader::refuseNested);
        Optional<RopeScaling> newScaling = parameters.map(this::scaling);
        Optional<RopeScaling> oldScaling = config.object(SCALING).map(this::scaling);
        if (newScaling.isPresent() && oldScaling.isPresent() && !newScaling.equals(oldScaling)) {
            throw disagreement(SCALING, PARAMETERS);
        }
        return new RopeParameters(
                theta(parameters, defaultTheta), newScaling.or(() -> oldScaling).orElseGet(RopeScaling.None::new));
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

    private RopeScaling scaling(ConfigObject rope) {
        refusePartialRotation(rope);
        // Files from before Llama 3.1 call the key "type".
        String key = rope.has("rope_type") ? "rope_type" : "type";
        String type = rope.optionalText(key).orElse("default");
        return switch (type) {
            case "default" -> new RopeScaling.None();
            case "linear" -> new RopeScaling.Linear(rope.positiveNumber("factor"));
            case "llama3" -> llama3(rope);
            default ->
                throw rope.refuse(
                        key,
                        "is " + rope.shown(key) + ", which is not supported; use a model whose type is default, linear"
                                + " or llama3");
        };
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
                    "is not 1, and rotating only a part of each head is not supported; use a model that rotates whole"
                            + " heads");
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
