package io.gpuquant.safetensors;

import java.util.List;

/**
 * A text that must be refused.
 *
 * @param dataBytes bytes behind the text, where it is a header
 * @param says what the refusal must say
 */
record HostileCase(String name, String text, int dataBytes, List<String> says) {

    static HostileCase of(String name, String text, int dataBytes, String... says) {
        return new HostileCase(name, text, dataBytes, List.of(says));
    }

    String[] parts() {
        return says.toArray(String[]::new);
    }

    @Override
    public String toString() {
        return name;
    }
}
