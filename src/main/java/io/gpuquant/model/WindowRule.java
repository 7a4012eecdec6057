package io.gpuquant.model;

/**
 * Which layers of a family attend to a sliding window, {@code sliding_window} in config.json.
 *
 * @param layers which of them, where config.json does not list them itself
 * @param switchable whether there is a window only where {@code use_sliding_window} says so
 * @param defaultWindow where config.json says nothing of a window; 0 for none
 */
public record WindowRule(Layers layers, boolean switchable, int defaultWindow) {

    /** Layers with a window. */
    public enum Layers {
        /** None. */
        NONE,
        /** All. */
        ALL,
        /** Those from {@code max_window_layers} on; or as {@code layer_types} lists them. */
        UPPER,
        /** All but every second; or as {@code layer_types} lists them. */
        ALTERNATING,
        /** All but every one in {@code sliding_window_pattern}, six if it is not given; or as {@code layer_types} lists them. */
        ALL_BUT_ONE_IN_SIX
    }

    /** No window in any layer. */
    static final WindowRule NONE = new WindowRule(Layers.NONE, false, 0);
}
