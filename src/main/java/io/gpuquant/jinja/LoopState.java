package io.gpuquant.jinja;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code loop} inside of a loop. */
final class LoopState {

    private final List<@Nullable Object> items;
    private final int depth;
    private int index;
    private @Nullable List<@Nullable Object> lastSeen;

    LoopState(List<@Nullable Object> items, int depth) {
        this.items = items;
        this.depth = depth;
    }

    void moveTo(int newIndex) {
        index = newIndex;
    }

    @Nullable
    Object attribute(String name) {
        return switch (name) {
            case "index" -> (long) index + 1;
            case "index0" -> (long) index;
            case "revindex" -> (long) items.size() - index;
            case "revindex0" -> (long) items.size() - index - 1;
            case "first" -> index == 0;
            case "last" -> index == items.size() - 1;
            case "length" -> (long) items.size();
            case "depth" -> (long) depth;
            case "depth0" -> (long) depth - 1;
            case "previtem" -> index > 0 ? items.get(index - 1) : new Undefined("loop.previtem");
            case "nextitem" -> index + 1 < items.size() ? items.get(index + 1) : new Undefined("loop.nextitem");
            case "cycle" -> (Function) this::cycle;
            case "changed" -> (Function) this::changed;
            default -> new Undefined("loop." + name);
        };
    }

    private @Nullable Object cycle(Function.Arguments arguments) {
        List<@Nullable Object> choices = arguments.positional();
        if (choices.isEmpty()) {
            throw new TemplateException(arguments.line(), "loop.cycle without items");
        }
        return choices.get(index % choices.size());
    }

    private Object changed(Function.Arguments arguments) {
        List<@Nullable Object> values = new ArrayList<>(arguments.positional());
        boolean changed = lastSeen == null || !Values.equal(lastSeen, values);
        lastSeen = values;
        return changed;
    }
}
