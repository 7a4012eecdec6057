package io.gpuquant.jinja;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A parsed expression. */
sealed interface Expression {

    /** A constant. */
    record Literal(@Nullable Object value) implements Expression {}

    /** A variable. */
    record Name(String name) implements Expression {}

    /** A list. */
    record Items(List<Expression> items) implements Expression {}

    /** A tuple. */
    record TupleItems(List<Expression> items) implements Expression {}

    /** A dictionary. */
    record Dictionary(List<Map.Entry<Expression, Expression>> entries) implements Expression {}

    /** {@code of.name}. */
    record Attribute(Expression of, String name) implements Expression {}

    /** {@code of[index]}. */
    record Subscript(Expression of, Expression index) implements Expression {}

    /** {@code of[start:stop:step]}. */
    record Slice(
            Expression of,
            @Nullable Expression start,
            @Nullable Expression stop,
            @Nullable Expression step) implements Expression {}

    /** Arguments of a call. */
    record Arguments(List<Expression> positional, Map<String, Expression> named) {

        static final Arguments NONE = new Arguments(List.of(), Map.of());
    }

    /** {@code function(arguments)}. */
    record Call(Expression function, Arguments arguments, int line) implements Expression {}

    /** {@code of | name(arguments)}. */
    record Filter(Expression of, String name, Arguments arguments, int line) implements Expression {}

    /** {@code of is name(arguments)}. */
    record Test(Expression of, String name, Arguments arguments, int line) implements Expression {}

    /** {@code not}, {@code -} or {@code +}. */
    record Unary(String operator, Expression of) implements Expression {}

    /** An operator between two values, {@code and} and {@code or} among them. */
    record Binary(String operator, Expression left, Expression right, int line) implements Expression {}

    /** {@code first < second <= third}: every operator holds between its neighbours. */
    record Comparison(Expression first, List<String> operators, List<Expression> others, int line)
            implements Expression {}

    /** {@code then if condition else otherwise}. */
    record Conditional(
            Expression condition, Expression then, @Nullable Expression otherwise) implements Expression {}
}
