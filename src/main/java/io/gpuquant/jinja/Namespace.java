package io.gpuquant.jinja;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code namespace()}: attributes that a template may set from inside of a loop. */
record Namespace(Map<String, @Nullable Object> attributes) {

    Namespace() {
        this(new LinkedHashMap<>());
    }
}
