package io.gpuquant.jinja;

import java.util.AbstractList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A list that prints as Python's tuples do. */
final class Tuple extends AbstractList<@Nullable Object> {

    private final List<@Nullable Object> items;

    Tuple(List<@Nullable Object> items) {
        this.items = items;
    }

    @Override
    public @Nullable Object get(int index) {
        return items.get(index);
    }

    @Override
    public int size() {
        return items.size();
    }
}
