package io.gpuquant.jinja;

import io.gpuquant.jinja.Function.Arguments;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Jinja's tests, what follows {@code is}. */
final class Tests {

    private Tests() {}

    static boolean holds(String name, @Nullable Object value, Arguments arguments) {
        int line = arguments.line();
        return switch (name) {
            case "defined" -> !(value instanceof Undefined);
            case "undefined" -> value instanceof Undefined;
            case "none" -> value == null;
            case "true" -> Boolean.TRUE.equals(value);
            case "false" -> Boolean.FALSE.equals(value);
            case "boolean" -> value instanceof Boolean;
            case "string" -> value instanceof String;
            case "integer" -> value instanceof Long;
            case "float" -> value instanceof Double;
            case "number" -> Values.isNumber(value);
            case "mapping" -> value instanceof Map;
            case "sequence", "iterable" ->
                value instanceof List || value instanceof Map || value instanceof String || value instanceof Undefined;
            case "callable" -> value instanceof Function;
            case "lower" -> Values.text(value).equals(Values.text(value).toLowerCase(Locale.ROOT));
            case "upper" -> Values.text(value).equals(Values.text(value).toUpperCase(Locale.ROOT));
            case "odd" -> Math.floorMod(integer(value, line), 2) == 1;
            case "even" -> Math.floorMod(integer(value, line), 2) == 0;
            case "divisibleby" -> integer(value, line) % integer(arguments.required(0, "num"), line) == 0;
            case "sameas" -> sameAs(value, arguments.required(0, "other"));
            case "in" -> Values.contains(arguments.required(0, "seq"), value, line);
            case "eq", "equalto", "==" -> Values.equal(value, arguments.required(0, "other"));
            case "ne", "!=" -> !Values.equal(value, arguments.required(0, "other"));
            case "lt", "lessthan", "<" -> Values.compare(value, arguments.required(0, "other"), line) < 0;
            case "le", "<=" -> Values.compare(value, arguments.required(0, "other"), line) <= 0;
            case "gt", "greaterthan", ">" -> Values.compare(value, arguments.required(0, "other"), line) > 0;
            case "ge", ">=" -> Values.compare(value, arguments.required(0, "other"), line) >= 0;
            default -> throw new TemplateException(line, "an unknown test '" + name + "'");
        };
    }

    private static boolean sameAs(@Nullable Object value, @Nullable Object other) {
        boolean plain = value == null || value instanceof Boolean || other == null || other instanceof Boolean;
        return plain ? Objects.equals(value, other) : value == other;
    }

    private static long integer(@Nullable Object value, int line) {
        if (value instanceof Long number) {
            return number;
        }
        throw new TemplateException(line, Values.kind(value) + " is no integer");
    }
}
