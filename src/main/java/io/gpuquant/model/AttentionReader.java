package io.gpuquant.model;

import io.gpuquant.model.ModelFamily.Trait;
import java.util.ArrayList;
import java.util.List;

/** Reads from a config.json how keys are weighed: scale, cap, and which layers have a sliding window. */
final class AttentionReader {

    private static final String WINDOW = "sliding_window";
    private static final String TYPES = "layer_types";
    private static final int PERIOD = 6;

    private AttentionReader() {}

    static AttentionRules read(
            ConfigObject config, ModelFamily family, int layers, int headDim, RopeReader.Ropes ropes) {
        double divisor =
                family.has(Trait.QUERY_SCALAR) ? config.positiveNumber("query_pre_attn_scalar", headDim) : headDim;
        double cap = family.has(Trait.SOFT_CAPS) ? config.positiveNumber("attn_logit_softcapping", 0) : 0;
        List<LayerAttention> attentions = new ArrayList<>();
        int window = window(config, family.windows());
        for (boolean windowed : windowed(config, family.windows(), layers)) {
            if (windowed && window == 0 && config.has(TYPES)) {
                throw config.refuse(
                        TYPES, "has layers with a window, but " + WINDOW + " gives none" + ConfigObject.RESTORE);
            }
            attentions.add(new LayerAttention(windowed ? window : 0, windowed ? ropes.windowed() : ropes.whole()));
        }
        return new AttentionRules(1 / Math.sqrt(divisor), cap, attentions);
    }

    /** Keys that a query sees in layers with a window; 0 for all. */
    private static int window(ConfigObject config, WindowRule rule) {
        boolean off = rule.layers() == WindowRule.Layers.NONE
                || rule.switchable() && !config.flag("use_sliding_window", false)
                || config.isNull(WINDOW);
        return off ? 0 : config.has(WINDOW) ? config.positiveInt(WINDOW) : rule.defaultWindow();
    }

    private static List<Boolean> windowed(ConfigObject config, WindowRule rule, int layers) {
        boolean listed =
                config.has(TYPES) && rule.layers() != WindowRule.Layers.NONE && rule.layers() != WindowRule.Layers.ALL;
        return listed ? listed(config, layers) : ruled(config, rule, layers);
    }

    private static List<Boolean> listed(ConfigObject config, int layers) {
        List<String> types = config.texts(TYPES);
        if (types.size() != layers) {
            throw config.refuse(
                    TYPES, "lists " + types.size() + " layers, but the model has " + layers + ConfigObject.RESTORE);
        }
        List<Boolean> windowed = new ArrayList<>();
        for (String type : types) {
            windowed.add(
                    switch (type) {
                        case "full_attention" -> false;
                        case "sliding_attention" -> true;
                        default ->
                            throw config.refuse(
                                    TYPES,
                                    "is " + config.shown(TYPES)
                                            + ", which has a kind of layer that is not supported; use a model with"
                                            + " full_attention and sliding_attention only");
                    });
        }
        return windowed;
    }

    private static List<Boolean> ruled(ConfigObject config, WindowRule rule, int layers) {
        int first = rule.layers() == WindowRule.Layers.UPPER ? firstOfUpper(config, rule) : 0;
        int period = period(config);
        List<Boolean> windowed = new ArrayList<>();
        for (int layer = 0; layer < layers; layer++) {
            windowed.add(
                    switch (rule.layers()) {
                        case NONE -> false;
                        case ALL -> true;
                        case UPPER -> layer >= first;
                        case ALTERNATING -> layer % 2 == 0;
                        case ALL_BUT_ONE_IN_SIX -> (layer + 1) % period != 0;
                    });
        }
        return windowed;
    }

    /** Read only where it is used: files without a window may have anything there. */
    private static int firstOfUpper(ConfigObject config, WindowRule rule) {
        return window(config, rule) == 0 ? Integer.MAX_VALUE : config.positiveInt("max_window_layers");
    }

    private static int period(ConfigObject config) {
        return config.positiveInt("sliding_window_pattern", config.positiveInt("_sliding_window_pattern", PERIOD));
    }
}
