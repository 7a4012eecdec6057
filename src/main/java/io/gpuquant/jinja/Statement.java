package io.gpuquant.jinja;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A parsed part of a template. */
sealed interface Statement {

    /** Plain text. */
    record Text(String text) implements Statement {}

    /** {@code {{ value }}}. */
    record Print(Expression value) implements Statement {}

    /** Branches, of which the first whose condition holds runs; {@code else} has none. */
    record If(List<Branch> branches) implements Statement {}

    /** A condition, null for {@code else}, and what runs. */
    record Branch(@Nullable Expression condition, List<Statement> body) {}

    /** {@code for targets in items if condition}. */
    record For(
            List<String> targets,
            Expression items,
            @Nullable Expression condition,
            List<Statement> body,
            List<Statement> otherwise,
            int line)
            implements Statement {}

    /** {@code set names = value}. */
    record Assign(List<String> names, Expression value, int line) implements Statement {}

    /** {@code set namespace.attribute = value}. */
    record AssignAttribute(String namespace, String attribute, Expression value, int line) implements Statement {}

    /** {@code set name} up to {@code endset}: what the body prints. */
    record AssignBlock(String name, List<Expression.Filter> filters, List<Statement> body) implements Statement {}

    /** {@code macro name(parameters)}; a parameter without a default has null. */
    record Macro(String name, Map<String, @Nullable Expression> parameters, List<Statement> body)
            implements Statement {}

    /** Ends a loop. */
    record Break() implements Statement {}

    /** Ends one turn of a loop. */
    record Continue() implements Statement {}
}
