package io.gpuquant.model;

/**
 * What attention layers of one model differ in.
 *
 * @param window keys that a query sees, its own among them; 0 for all before it
 */
public record LayerAttention(int window, RopeParameters rope) {

    /** Whether queries see less than all keys before them in sequences of this length. */
    boolean isWindowed(int length) {
        return window > 0 && window < length;
    }
}
