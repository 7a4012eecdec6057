package io.gpuquant.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The value of an expression. */
final class Evaluator {

    private Evaluator() {}

    static @Nullable Object value(Expression expression, Scope scope) {
        return switch (expression) {
            case Expression.Literal literal -> literal.value();
            case Expression.Name name -> scope.get(name.name());
            case Expression.Items items -> list(items.items(), scope);
            case Expression.TupleItems items -> new Tuple(list(items.items(), scope));
            case Expression.Dictionary dictionary -> map(dictionary, scope);
            case Expression.Attribute attribute ->
                Access.attribute(value(attribute.of(), scope), attribute.name(), line(attribute.of()));
            case Expression.Subscript subscript ->
                Access.item(value(subscript.of(), scope), value(subscript.index(), scope), line(subscript.of()));
            case Expression.Slice slice -> slice(slice, scope);
            case Expression.Call call -> call(call, scope);
            case Expression.Filter filter ->
                Filters.apply(
                        filter.name(), value(filter.of(), scope), arguments(filter.arguments(), filter.line(), scope));
            case Expression.Test test ->
                Tests.holds(test.name(), value(test.of(), scope), arguments(test.arguments(), test.line(), scope));
            case Expression.Unary unary -> unary(unary, scope);
            case Expression.Binary binary -> binary(binary, scope);
            case Expression.Comparison comparison -> comparison(comparison, scope);
            case Expression.Conditional conditional -> conditional(conditional, scope);
        };
    }

    private static @Nullable Object optional(@Nullable Expression expression, Scope scope) {
        return expression == null ? null : value(expression, scope);
    }

    /** A line for messages about a value: that of the nearest part that knows its own; 0 if none does. */
    private static int line(Expression expression) {
        return switch (expression) {
            case Expression.Call call -> call.line();
            case Expression.Filter filter -> filter.line();
            case Expression.Attribute attribute -> line(attribute.of());
            case Expression.Subscript subscript -> line(subscript.of());
            default -> 0;
        };
    }

    private static List<@Nullable Object> list(List<Expression> items, Scope scope) {
        List<@Nullable Object> values = new ArrayList<>();
        items.forEach(item -> values.add(value(item, scope)));
        return values;
    }

    private static Map<Object, @Nullable Object> map(Expression.Dictionary dictionary, Scope scope) {
        Map<Object, @Nullable Object> map = new LinkedHashMap<>();
        for (Map.Entry<Expression, Expression> entry : dictionary.entries()) {
            Object key = value(entry.getKey(), scope);
            map.put(key == null ? "None" : key, value(entry.getValue(), scope));
        }
        return map;
    }

    private static Object slice(Expression.Slice slice, Scope scope) {
        return Access.slice(
                value(slice.of(), scope),
                optional(slice.start(), scope),
                optional(slice.stop(), scope),
                optional(slice.step(), scope),
                line(slice.of()));
    }

    static Function.Arguments arguments(Expression.Arguments arguments, int line, Scope scope) {
        Map<String, @Nullable Object> named = new LinkedHashMap<>();
        arguments.named().forEach((name, argument) -> named.put(name, value(argument, scope)));
        return new Function.Arguments(list(arguments.positional(), scope), named, line);
    }

    private static @Nullable Object call(Expression.Call call, Scope scope) {
        Object function = value(call.function(), scope);
        if (function instanceof Function callable) {
            return callable.call(arguments(call.arguments(), call.line(), scope));
        }
        if (function instanceof Undefined undefined) {
            throw undefined.refusal(call.line());
        }
        throw new TemplateException(call.line(), Values.kind(function) + " cannot be called");
    }

    private static Object unary(Expression.Unary unary, Scope scope) {
        Object value = value(unary.of(), scope);
        if (unary.operator().equals("not")) {
            return !Values.truth(value);
        }
        return Arithmetic.apply(unary.operator(), 0L, value, line(unary.of()));
    }

    private static @Nullable Object binary(Expression.Binary binary, Scope scope) {
        Object left = value(binary.left(), scope);
        return switch (binary.operator()) {
            case "and" -> Values.truth(left) ? value(binary.right(), scope) : left;
            case "or" -> Values.truth(left) ? left : value(binary.right(), scope);
            default -> Arithmetic.apply(binary.operator(), left, value(binary.right(), scope), binary.line());
        };
    }

    private static boolean comparison(Expression.Comparison comparison, Scope scope) {
        Object left = value(comparison.first(), scope);
        for (int i = 0; i < comparison.operators().size(); i++) {
            Object right = value(comparison.others().get(i), scope);
            if (!holds(comparison.operators().get(i), left, right, comparison.line())) {
                return false;
            }
            left = right;
        }
        return true;
    }

    private static boolean holds(String operator, @Nullable Object left, @Nullable Object right, int line) {
        return switch (operator) {
            case "==" -> Values.equal(left, right);
            case "!=" -> !Values.equal(left, right);
            case "in" -> Values.contains(right, left, line);
            case "not in" -> !Values.contains(right, left, line);
            case "<" -> Values.compare(left, right, line) < 0;
            case "<=" -> Values.compare(left, right, line) <= 0;
            case ">" -> Values.compare(left, right, line) > 0;
            default -> Values.compare(left, right, line) >= 0;
        };
    }

    private static @Nullable Object conditional(Expression.Conditional conditional, Scope scope) {
        if (Values.truth(value(conditional.condition(), scope))) {
            return value(conditional.then(), scope);
        }
        Expression otherwise = conditional.otherwise();
        return otherwise == null ? new Undefined("the value of an if without else") : value(otherwise, scope);
    }
}
