package io.gpuquant.jinja;

import io.gpuquant.jinja.Function.Arguments;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Jinja's filters, what follows a bar. */
final class Filters {

    private Filters() {}

    static @Nullable Object apply(String name, @Nullable Object value, Arguments arguments) {
        int line = arguments.line();
        return switch (name) {
            case "tojson" -> Json.text(value, arguments);
            case "default", "d" -> otherwise(value, arguments);
            case "length", "count" -> length(value, line);
            case "string" -> Values.text(value);
            case "safe" -> value;
            case "trim" -> method(Values.text(value), "strip", arguments);
            case "upper", "lower", "title", "capitalize" -> method(Values.text(value), name, arguments);
            case "replace" -> Methods.replaced(Values.text(value), arguments);
            case "indent" -> indented(Values.text(value), arguments);
            case "escape", "e" -> escaped(Values.text(value));
            case "int" -> integer(value, arguments);
            case "float" -> real(value, arguments);
            case "abs" -> value instanceof Long number ? (Object) Math.abs(number) : Math.abs(number(value, line));
            case "round" -> rounded(number(value, line), arguments);
            case "attr" -> Access.attribute(value, arguments.text(0, "name"), line);
            case "items" -> value instanceof Map<?, ?> map ? Methods.items(map) : Values.iterate(value, line);
            default -> ofList(name, value, arguments);
        };
    }

    private static @Nullable Object ofList(String name, @Nullable Object value, Arguments arguments) {
        int line = arguments.line();
        if (name.equals("reverse") && value instanceof String text) {
            return Access.slice(text, null, null, -1L, line);
        }
        if (name.equals("dictsort")) {
            return dictionarySorted(value, arguments);
        }
        List<@Nullable Object> items = Values.iterate(value, line);
        return switch (name) {
            case "list" -> items;
            case "first" -> items.isEmpty() ? new Undefined("first") : items.getFirst();
            case "last" -> items.isEmpty() ? new Undefined("last") : items.getLast();
            case "join" -> joined(items, arguments);
            case "reverse" -> {
                Collections.reverse(items);
                yield items;
            }
            case "sort" -> sorted(items, arguments);
            case "unique" -> unique(items);
            case "sum" -> sum(items, arguments);
            case "min" ->
                items.stream().min((a, b) -> Values.compare(a, b, line)).orElse(new Undefined("min"));
            case "max" ->
                items.stream().max((a, b) -> Values.compare(a, b, line)).orElse(new Undefined("max"));
            case "map" -> mapped(items, arguments);
            case "select" -> chosen(items, null, arguments, true);
            case "reject" -> chosen(items, null, arguments, false);
            case "selectattr" -> chosen(items, arguments.text(0, "attribute"), arguments.from(1), true);
            case "rejectattr" -> chosen(items, arguments.text(0, "attribute"), arguments.from(1), false);
            default -> throw new TemplateException(line, "an unknown filter '" + name + "'");
        };
    }

    private static @Nullable Object method(String text, String name, Arguments arguments) {
        Function method = Methods.of(text, name);
        if (method == null) {
            throw new IllegalStateException(name);
        }
        return method.call(arguments);
    }

    private static @Nullable Object otherwise(@Nullable Object value, Arguments arguments) {
        boolean absent = value instanceof Undefined || (arguments.truth(1, "boolean") && !Values.truth(value));
        return absent ? arguments.get(0, "default_value", "") : value;
    }

    private static long length(@Nullable Object value, int line) {
        return value instanceof String text
                ? Strings.length(text)
                : Values.iterate(value, line).size();
    }

    private static String indented(String text, Arguments arguments) {
        Object width = arguments.get(0, "width", 4L);
        String indent = width instanceof String given
                ? given
                : " ".repeat(Math.clamp(arguments.integer(0, "width", 4), 0, 1000));
        boolean blank = arguments.truth(2, "blank");
        StringBuilder out = new StringBuilder(arguments.truth(1, "first") ? indent : "");
        List<Object> lines = Strings.split(text, "\n", -1);
        for (int i = 0; i < lines.size(); i++) {
            String line = Values.text(lines.get(i));
            out.append(i > 0 ? "\n" : "")
                    .append(i > 0 && (blank || !line.isEmpty()) ? indent : "")
                    .append(line);
        }
        return out.toString();
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("'", "&#39;")
                .replace("\"", "&#34;");
    }

    private static @Nullable Object integer(@Nullable Object value, Arguments arguments) {
        try {
            return switch (value) {
                case Boolean truth -> Values.whole(truth);
                case Long number -> number;
                case Double number -> number.longValue();
                case String text -> Long.valueOf(Strings.strip(text));
                case null, default -> arguments.get(0, "default", 0L);
            };
        } catch (NumberFormatException noInteger) {
            return real(value, arguments) instanceof Double number
                    ? (Object) number.longValue()
                    : arguments.get(0, "default", 0L);
        }
    }

    private static @Nullable Object real(@Nullable Object value, Arguments arguments) {
        try {
            return value instanceof String text ? (Object) Double.valueOf(Strings.strip(text)) : Values.real(value);
        } catch (IllegalArgumentException noNumber) {
            return arguments.get(0, "default", 0.0);
        }
    }

    private static double number(@Nullable Object value, int line) {
        if (Values.isNumber(value)) {
            return Values.real(value);
        }
        throw new TemplateException(line, Values.kind(value) + " is no number");
    }

    private static Object rounded(double value, Arguments arguments) {
        double scale = Math.pow(10, arguments.integer(0, "precision", 0));
        return switch (Values.text(arguments.get(1, "method", "common"))) {
            case "ceil" -> Math.ceil(value * scale) / scale;
            case "floor" -> Math.floor(value * scale) / scale;
            default -> Math.rint(value * scale) / scale;
        };
    }

    /** What an attribute like {@code a.b.0} leads to. */
    private static @Nullable Object path(@Nullable Object of, String attribute, int line) {
        Object value = of;
        for (String part : attribute.split("\\.")) {
            value = Access.item(value, part.matches("\\d{1,9}") ? (Object) Long.valueOf(part) : part, line);
        }
        return value;
    }

    private static String joined(List<@Nullable Object> items, Arguments arguments) {
        Object attribute = arguments.get(1, "attribute", null);
        List<String> parts = new ArrayList<>();
        for (Object item : items) {
            parts.add(Values.text(attribute instanceof String name ? path(item, name, arguments.line()) : item));
        }
        return String.join(Values.text(arguments.get(0, "d", "")), parts);
    }

    private static Comparator<@Nullable Object> order(Arguments arguments, boolean caseSensitive) {
        return (a, b) -> Values.compare(folded(a, caseSensitive), folded(b, caseSensitive), arguments.line());
    }

    private static @Nullable Object folded(@Nullable Object value, boolean caseSensitive) {
        return value instanceof String text && !caseSensitive ? text.toLowerCase(Locale.ROOT) : value;
    }

    private static Object sorted(List<@Nullable Object> items, Arguments arguments) {
        Comparator<@Nullable Object> order = order(arguments, arguments.truth(1, "case_sensitive"));
        if (arguments.get(2, "attribute", null) instanceof String attribute) {
            Comparator<@Nullable Object> ofValues = order;
            order = (a, b) ->
                    ofValues.compare(path(a, attribute, arguments.line()), path(b, attribute, arguments.line()));
        }
        items.sort(arguments.truth(0, "reverse") ? order.reversed() : order);
        return items;
    }

    private static Object dictionarySorted(@Nullable Object value, Arguments arguments) {
        if (!(value instanceof Map<?, ?> map)) {
            throw new TemplateException(arguments.line(), Values.kind(value) + " is no dictionary");
        }
        int by = Values.text(arguments.get(1, "by", "key")).equals("value") ? 1 : 0;
        List<@Nullable Object> items = Methods.items(map);
        Comparator<@Nullable Object> order = order(arguments, arguments.truth(0, "case_sensitive"));
        Comparator<@Nullable Object> ofPairs =
                (a, b) -> order.compare(Access.item(a, (long) by, 0), Access.item(b, (long) by, 0));
        items.sort(arguments.truth(2, "reverse") ? ofPairs.reversed() : ofPairs);
        return items;
    }

    private static Object unique(List<@Nullable Object> items) {
        List<@Nullable Object> unique = new ArrayList<>();
        for (Object item : items) {
            Object folded = folded(item, false);
            if (unique.stream().noneMatch(other -> Values.equal(folded(other, false), folded))) {
                unique.add(item);
            }
        }
        return unique;
    }

    private static @Nullable Object sum(List<@Nullable Object> items, Arguments arguments) {
        Object attribute = arguments.get(0, "attribute", null);
        Object sum = arguments.get(1, "start", 0L);
        for (Object item : items) {
            Object value = attribute instanceof String name ? path(item, name, arguments.line()) : item;
            sum = Arithmetic.apply("+", sum, value, arguments.line());
        }
        return sum;
    }

    private static Object mapped(List<@Nullable Object> items, Arguments arguments) {
        List<@Nullable Object> mapped = new ArrayList<>();
        for (Object item : items) {
            if (arguments.named().get("attribute") instanceof String attribute) {
                Object value = path(item, attribute, arguments.line());
                mapped.add(value instanceof Undefined ? arguments.get(Integer.MAX_VALUE, "default", value) : value);
            } else {
                mapped.add(apply(arguments.text(0, "filter"), item, arguments.from(1)));
            }
        }
        return mapped;
    }

    private static Object chosen(
            List<@Nullable Object> items, @Nullable String attribute, Arguments arguments, boolean wanted) {
        List<@Nullable Object> chosen = new ArrayList<>();
        for (Object item : items) {
            Object value = attribute == null ? item : path(item, attribute, arguments.line());
            boolean holds = arguments.positional().isEmpty()
                    ? Values.truth(value)
                    : Tests.holds(arguments.text(0, "test"), value, arguments.from(1));
            if (holds == wanted) {
                chosen.add(item);
            }
        }
        return chosen;
    }
}
