package io.gpuquant.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Attributes, items and slices of values. */
final class Access {

    private Access() {}

    /** {@code of.name}: a method or a field, else the item of that key. */
    static @Nullable Object attribute(@Nullable Object of, String name, int line) {
        Object found = member(of, name, line);
        return found instanceof Undefined && of instanceof Map<?, ?> map && map.containsKey(name)
                ? map.get(name)
                : found;
    }

    private static @Nullable Object member(@Nullable Object of, String name, int line) {
        Function method = switch (of) {
            case Undefined undefined -> throw undefined.refusal(line);
            case String text -> Methods.of(text, name);
            case Map<?, ?> map -> Methods.of(map, name);
            case List<?> list -> Methods.of(list, name);
            case null, default -> null;
        };
        if (method != null) {
            return method;
        }
        if (of instanceof Namespace namespace && namespace.attributes().containsKey(name)) {
            return namespace.attributes().get(name);
        }
        return of instanceof LoopState loop ? loop.attribute(name) : new Undefined(name);
    }

    /** {@code of[key]}: an item, else the attribute of that name. */
    static @Nullable Object item(@Nullable Object of, @Nullable Object key, int line) {
        if (of instanceof Undefined undefined) {
            throw undefined.refusal(line);
        }
        if (of instanceof Map<?, ?> map && key != null && map.containsKey(key)) {
            return map.get(key);
        }
        if (of instanceof List<?> list && key instanceof Long index) {
            long at = index < 0 ? index + list.size() : index;
            return at >= 0 && at < list.size() ? list.get((int) at) : new Undefined("item " + index);
        }
        if (of instanceof String text && key instanceof Long index) {
            return item(Strings.characters(text), index, line);
        }
        return key instanceof String name && !(of instanceof Map)
                ? member(of, name, line)
                : new Undefined(Values.text(key));
    }

    /** {@code of[start:stop:step]} of a list or a string. */
    static Object slice(
            @Nullable Object of, @Nullable Object start, @Nullable Object stop, @Nullable Object step, int line) {
        List<?> items = switch (of) {
            case String text -> Strings.characters(text);
            case List<?> list -> list;
            case Undefined undefined -> List.of();
            case null, default -> throw new TemplateException(line, Values.kind(of) + " has no slices");
        };
        long by = bound(step, 1, line);
        if (by == 0) {
            throw new TemplateException(line, "a slice with a step of zero");
        }
        int size = items.size();
        long from = start == null ? (by > 0 ? 0 : size - 1) : clamp(bound(start, 0, line), size, by);
        long to = stop == null ? (by > 0 ? size : -1) : clamp(bound(stop, 0, line), size, by);
        List<@Nullable Object> chosen = new ArrayList<>();
        for (long i = from; by > 0 ? i < to : i > to; i += by) {
            chosen.add(items.get((int) i));
        }
        return of instanceof String
                ? String.join("", chosen.stream().map(Values::text).toList())
                : chosen;
    }

    private static long bound(@Nullable Object value, long otherwise, int line) {
        return switch (value) {
            case null -> otherwise;
            case Long number -> number;
            default -> throw new TemplateException(line, "a slice with " + Values.kind(value) + " as a bound");
        };
    }

    private static long clamp(long bound, int size, long step) {
        long at = bound < 0 ? bound + size : bound;
        return step > 0 ? Math.clamp(at, 0, size) : Math.clamp(at, -1, size - 1);
    }
}
