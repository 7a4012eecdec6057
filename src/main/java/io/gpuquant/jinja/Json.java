package io.gpuquant.jinja;

import java.util.AbstractMap.SimpleEntry;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code tojson} as transformers has it: Python's {@code json.dumps} without escapes for what is not ASCII. */
final class Json {

    private final String itemSeparator;
    private final String keySeparator;
    private final int indent;
    private final boolean sorted;
    private final int line;

    private Json(String itemSeparator, String keySeparator, int indent, boolean sorted, int line) {
        this.itemSeparator = itemSeparator;
        this.keySeparator = keySeparator;
        this.indent = indent;
        this.sorted = sorted;
        this.line = line;
    }

    /** The filter. */
    static String text(@Nullable Object value, Function.Arguments arguments) {
        Object indent = arguments.named().get("indent");
        if (indent == null && arguments.positional().size() > 0) {
            indent = arguments.positional().getLast();
        }
        boolean lines = indent instanceof Long;
        String itemSeparator = lines ? "," : ", ";
        String keySeparator = ": ";
        if (arguments.named().get("separators") instanceof List<?> pair && pair.size() == 2) {
            itemSeparator = Values.text(pair.get(0));
            keySeparator = Values.text(pair.get(1));
        }
        boolean sorted = Values.truth(arguments.named().get("sort_keys"));
        Json json = new Json(
                itemSeparator,
                keySeparator,
                indent instanceof Long width ? Math.clamp(width, 0, 64) : -1,
                sorted,
                arguments.line());
        StringBuilder out = new StringBuilder();
        json.write(value, 1, out);
        return out.toString();
    }

    private void write(@Nullable Object value, int depth, StringBuilder out) {
        switch (value) {
            case null -> out.append("null");
            case Boolean truth -> out.append(truth);
            case Long number -> out.append(number);
            case Double number ->
                out.append(
                        Double.isNaN(number)
                                ? "NaN"
                                : Double.isInfinite(number)
                                        ? (number > 0 ? "Infinity" : "-Infinity")
                                        : Values.number(number));
            case String text -> string(text, out);
            case List<?> list -> {
                List<Runnable> items = new ArrayList<>();
                list.forEach(item -> items.add(() -> write(item, depth + 1, out)));
                enclosed('[', items, ']', depth, out);
            }
            case Map<?, ?> map -> {
                List<Runnable> items = new ArrayList<>();
                List<Map.Entry<String, @Nullable Object>> entries = new ArrayList<>();
                map.forEach((key, item) -> entries.add(new SimpleEntry<>(Values.text(key), item)));
                if (sorted) {
                    entries.sort(Comparator.comparing(Map.Entry::getKey));
                }
                entries.forEach(entry -> items.add(() -> {
                    string(entry.getKey(), out);
                    out.append(keySeparator);
                    write(entry.getValue(), depth + 1, out);
                }));
                enclosed('{', items, '}', depth, out);
            }
            default -> throw new TemplateException(line, Values.kind(value) + " has no JSON");
        }
    }

    private void enclosed(char open, List<Runnable> items, char close, int depth, StringBuilder out) {
        out.append(open);
        for (int i = 0; i < items.size(); i++) {
            out.append(i == 0 ? "" : itemSeparator);
            lineBreak(depth, out);
            items.get(i).run();
        }
        if (!items.isEmpty()) {
            lineBreak(depth - 1, out);
        }
        out.append(close);
    }

    private void lineBreak(int depth, StringBuilder out) {
        if (indent >= 0) {
            out.append('\n').append(" ".repeat(indent * depth));
        }
    }

    private static void string(String text, StringBuilder out) {
        out.append('"');
        for (char c : text.toCharArray()) {
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\b' -> out.append("\\b");
                case '\f' -> out.append("\\f");
                default -> {
                    if (c < ' ') {
                        out.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }
}
