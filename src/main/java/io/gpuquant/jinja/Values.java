package io.gpuquant.jinja;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Values as Python has them: null is {@code None}; then Boolean, Long, Double, String, List, Map, and what templates make
 * themselves.
 */
final class Values {

    private Values() {}

    static boolean truth(@Nullable Object value) {
        return switch (value) {
            case null -> false;
            case Undefined undefined -> false;
            case Boolean truth -> truth;
            case Long number -> number != 0;
            case Double number -> number != 0;
            case String text -> !text.isEmpty();
            case List<?> list -> !list.isEmpty();
            case Map<?, ?> map -> !map.isEmpty();
            default -> true;
        };
    }

    /** Python's {@code str()}. */
    static String text(@Nullable Object value) {
        return switch (value) {
            case String text -> text;
            case Undefined undefined -> "";
            case null, default -> representation(value);
        };
    }

    /** Python's {@code repr()}. */
    static String representation(@Nullable Object value) {
        return switch (value) {
            case null -> "None";
            case Boolean truth -> truth ? "True" : "False";
            case Double number -> number(number);
            case String text -> quoted(text);
            case Undefined undefined -> "Undefined";
            case List<?> list -> {
                List<String> parts = new ArrayList<>();
                list.forEach(item -> parts.add(representation(item)));
                String items = String.join(", ", parts);
                yield list instanceof Tuple ? "(" + items + (parts.size() == 1 ? ",)" : ")") : "[" + items + "]";
            }
            case Map<?, ?> map -> {
                List<String> parts = new ArrayList<>();
                map.forEach((key, item) -> parts.add(representation(key) + ": " + representation(item)));
                yield "{" + String.join(", ", parts) + "}";
            }
            default -> String.valueOf(value);
        };
    }

    private static String quoted(String text) {
        char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
        StringBuilder quoted = new StringBuilder().append(quote);
        for (char c : text.toCharArray()) {
            switch (c) {
                case '\n' -> quoted.append("\\n");
                case '\r' -> quoted.append("\\r");
                case '\t' -> quoted.append("\\t");
                case '\\' -> quoted.append("\\\\");
                default -> {
                    if (c == quote) {
                        quoted.append('\\').append(c);
                    } else if (c < ' ' || c == 0x7f) {
                        quoted.append(String.format(Locale.ROOT, "\\x%02x", (int) c));
                    } else {
                        quoted.append(c);
                    }
                }
            }
        }
        return quoted.append(quote).toString();
    }

    /** A number as Python prints it: shortest digits, an exponent from 1e16 on and below 1e-4. */
    static String number(double number) {
        if (Double.isNaN(number)) {
            return "nan";
        }
        if (Double.isInfinite(number)) {
            return number > 0 ? "inf" : "-inf";
        }
        double size = Math.abs(number);
        if (size == 0 || (size >= 1e-4 && size < 1e16)) {
            String plain = new BigDecimal(Double.toString(number)).toPlainString();
            return plain.contains(".") ? plain : plain + ".0";
        }
        String[] parts = Double.toString(number).split("E");
        int exponent = Integer.parseInt(parts[1]);
        String digits = parts[0].endsWith(".0") ? parts[0].substring(0, parts[0].length() - 2) : parts[0];
        return digits + String.format(Locale.ROOT, "e%s%02d", exponent < 0 ? "-" : "+", Math.abs(exponent));
    }

    /** Python's {@code ==}: 1, 1.0 and True are equal. */
    static boolean equal(@Nullable Object left, @Nullable Object right) {
        if (isNumber(left) && isNumber(right)) {
            return left instanceof Double || right instanceof Double
                    ? Double.compare(real(left), real(right)) == 0 || real(left) == real(right)
                    : whole(left) == whole(right);
        }
        if (left instanceof List<?> a && right instanceof List<?> b) {
            if (a.size() != b.size()) {
                return false;
            }
            for (int i = 0; i < a.size(); i++) {
                if (!equal(a.get(i), b.get(i))) {
                    return false;
                }
            }
            return true;
        }
        if (left instanceof Map<?, ?> a && right instanceof Map<?, ?> b) {
            return a.size() == b.size()
                    && a.entrySet().stream()
                            .allMatch(entry ->
                                    b.containsKey(entry.getKey()) && equal(entry.getValue(), b.get(entry.getKey())));
        }
        return left instanceof Undefined ? right instanceof Undefined : Objects.equals(left, right);
    }

    /** Python's ordering, of numbers, of strings by code points, and of lists. */
    static int compare(@Nullable Object left, @Nullable Object right, int line) {
        if (isNumber(left) && isNumber(right)) {
            return left instanceof Double || right instanceof Double
                    ? Double.compare(real(left), real(right))
                    : Long.compare(whole(left), whole(right));
        }
        if (left instanceof String a && right instanceof String b) {
            int[] first = a.codePoints().toArray();
            return Arrays.compare(first, b.codePoints().toArray());
        }
        if (left instanceof List<?> a && right instanceof List<?> b) {
            for (int i = 0; i < Math.min(a.size(), b.size()); i++) {
                if (!equal(a.get(i), b.get(i))) {
                    return compare(a.get(i), b.get(i), line);
                }
            }
            return Integer.compare(a.size(), b.size());
        }
        throw new TemplateException(line, kind(left) + " cannot be compared with " + kind(right));
    }

    /** Python's {@code in}. */
    static boolean contains(@Nullable Object container, @Nullable Object item, int line) {
        if (container instanceof String text) {
            if (item instanceof String part) {
                return text.contains(part);
            }
            throw new TemplateException(line, kind(item) + " cannot be in a string");
        }
        return container instanceof Map<?, ?> map
                ? item != null && map.containsKey(item)
                : iterate(container, line).stream().anyMatch(other -> equal(other, item));
    }

    /** What a loop over a value goes through. */
    static List<@Nullable Object> iterate(@Nullable Object value, int line) {
        return switch (value) {
            case List<?> list -> new ArrayList<>(list);
            case Map<?, ?> map -> new ArrayList<>(map.keySet());
            case String text -> Strings.characters(text);
            case Undefined undefined -> new ArrayList<>();
            case null, default -> throw new TemplateException(line, kind(value) + " is not iterable");
        };
    }

    static boolean isNumber(@Nullable Object value) {
        return value instanceof Long || value instanceof Double || value instanceof Boolean;
    }

    /** A number or truth value as a floating-point number. */
    static double real(@Nullable Object number) {
        return number instanceof Double real ? real : whole(number);
    }

    /** An integer or truth value. */
    static long whole(@Nullable Object number) {
        return switch (number) {
            case Boolean truth -> truth ? 1 : 0;
            case Long whole -> whole;
            case null, default -> throw new IllegalArgumentException(kind(number));
        };
    }

    /** What a value is, for messages. */
    static String kind(@Nullable Object value) {
        return switch (value) {
            case null -> "None";
            case Undefined undefined -> "the undefined '" + undefined.name() + "'";
            case Boolean truth -> "a truth value";
            case Long number -> "an integer";
            case Double number -> "a number";
            case String text -> "a string";
            case List<?> list -> "a list";
            case Map<?, ?> map -> "a dictionary";
            default -> "an object";
        };
    }
}
