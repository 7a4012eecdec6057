package io.gpuquant.jinja;

import io.gpuquant.jinja.Expression.Arguments;
import io.gpuquant.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Parses expressions, with the precedence that Jinja has. */
final class ExpressionParser {

    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");
    private static final Set<String> NOT_AN_ARGUMENT = Set.of("else", "or", "and", "is", "if", "not", "in");

    private final List<Token> tokens;
    private int position;

    ExpressionParser(List<Token> tokens) {
        this.tokens = tokens;
    }

    Token peek() {
        return tokens.get(position);
    }

    Token next() {
        return tokens.get(position++);
    }

    /** Takes an operator if it comes next. */
    boolean take(String operator) {
        if (peek().isOperator(operator)) {
            position++;
            return true;
        }
        return false;
    }

    /** Takes a word if it comes next. */
    boolean takeName(String name) {
        if (peek().isName(name)) {
            position++;
            return true;
        }
        return false;
    }

    void expect(String operator) {
        if (!take(operator)) {
            throw unexpected("'" + operator + "'");
        }
    }

    String expectName() {
        if (peek().kind() != Kind.NAME) {
            throw unexpected("a name");
        }
        return next().text();
    }

    TemplateException unexpected(String wanted) {
        return new TemplateException(peek().line(), "'" + peek().text() + "' where " + wanted + " should be");
    }

    /** One or more expressions with commas between them; several make a tuple. */
    Expression tuple() {
        Expression first = expression();
        if (!peek().isOperator(",")) {
            return first;
        }
        List<Expression> items = new ArrayList<>(List.of(first));
        while (take(",") && startsExpression()) {
            items.add(expression());
        }
        return new Expression.TupleItems(items);
    }

    private boolean startsExpression() {
        Token token = peek();
        return switch (token.kind()) {
            case NAME, STRING, INTEGER, FLOAT -> true;
            case OPERATOR -> "([{-+".contains(token.text());
            default -> false;
        };
    }

    Expression expression() {
        Expression value = or();
        while (takeName("if")) {
            Expression condition = or();
            Expression otherwise = takeName("else") ? expression() : null;
            value = new Expression.Conditional(condition, value, otherwise);
        }
        return value;
    }

    /** Without a condition after it, which belongs to the loop that the expression is in. */
    Expression or() {
        Expression left = and();
        while (peek().isName("or")) {
            int line = next().line();
            left = new Expression.Binary("or", left, and(), line);
        }
        return left;
    }

    private Expression and() {
        Expression left = not();
        while (peek().isName("and")) {
            int line = next().line();
            left = new Expression.Binary("and", left, not(), line);
        }
        return left;
    }

    private Expression not() {
        return takeName("not") ? new Expression.Unary("not", not()) : comparison();
    }

    private Expression comparison() {
        int line = peek().line();
        Expression first = sum();
        List<String> operators = new ArrayList<>();
        List<Expression> others = new ArrayList<>();
        for (String operator = comparisonOperator(); operator != null; operator = comparisonOperator()) {
            operators.add(operator);
            others.add(sum());
        }
        return operators.isEmpty() ? first : new Expression.Comparison(first, operators, others, line);
    }

    private @Nullable String comparisonOperator() {
        Token token = peek();
        if (token.kind() == Kind.OPERATOR && COMPARISONS.contains(token.text())) {
            return next().text();
        }
        if (takeName("in")) {
            return "in";
        }
        if (token.isName("not") && tokens.get(position + 1).isName("in")) {
            position += 2;
            return "not in";
        }
        return null;
    }

    private Expression sum() {
        Expression left = concatenation();
        while (peek().isOperator("+") || peek().isOperator("-")) {
            Token operator = next();
            left = new Expression.Binary(operator.text(), left, concatenation(), operator.line());
        }
        return left;
    }

    private Expression concatenation() {
        Expression left = product();
        while (peek().isOperator("~")) {
            int line = next().line();
            left = new Expression.Binary("~", left, product(), line);
        }
        return left;
    }

    private Expression product() {
        Expression left = power();
        while (peek().kind() == Kind.OPERATOR && Set.of("*", "/", "//", "%").contains(peek().text())) {
            Token operator = next();
            left = new Expression.Binary(operator.text(), left, power(), operator.line());
        }
        return left;
    }

    private Expression power() {
        Expression left = unary(true);
        while (peek().isOperator("**")) {
            int line = next().line();
            left = new Expression.Binary("**", left, unary(true), line);
        }
        return left;
    }

    private Expression unary(boolean withFilters) {
        Token token = peek();
        Expression value;
        if (take("-") || take("+")) {
            value = new Expression.Unary(token.text(), unary(false));
        } else {
            value = primary();
        }
        value = postfix(value);
        return withFilters ? filters(value) : value;
    }

    private Expression primary() {
        Token token = next();
        return switch (token.kind()) {
            case NAME -> name(token.text());
            case STRING -> string(token.text());
            case INTEGER -> new Expression.Literal(integer(token));
            case FLOAT -> new Expression.Literal(Double.valueOf(token.text()));
            case OPERATOR -> bracketed(token);
            default -> {
                position--;
                throw unexpected("a value");
            }
        };
    }

    private static Long integer(Token token) {
        try {
            return Long.valueOf(token.text());
        } catch (NumberFormatException tooLarge) {
            throw new TemplateException(token.line(), "the number " + token.text() + " is too large");
        }
    }

    private static Expression name(String name) {
        return switch (name) {
            case "true", "True" -> new Expression.Literal(true);
            case "false", "False" -> new Expression.Literal(false);
            case "none", "None" -> new Expression.Literal(null);
            default -> new Expression.Name(name);
        };
    }

    /** Literals that follow each other are one. */
    private Expression string(String first) {
        StringBuilder text = new StringBuilder(first);
        while (peek().kind() == Kind.STRING) {
            text.append(next().text());
        }
        return new Expression.Literal(text.toString());
    }

    private Expression bracketed(Token token) {
        switch (token.text()) {
            case "(" -> {
                Expression value = take(")") ? new Expression.TupleItems(List.of()) : closed();
                return value;
            }
            case "[" -> {
                List<Expression> items = new ArrayList<>();
                while (!take("]")) {
                    items.add(expression());
                    if (!peek().isOperator("]")) {
                        expect(",");
                    }
                }
                return new Expression.Items(items);
            }
            case "{" -> {
                return dictionary();
            }
            default -> {
                position--;
                throw unexpected("a value");
            }
        }
    }

    private Expression closed() {
        Expression value = tuple();
        expect(")");
        return value;
    }

    private Expression dictionary() {
        List<Map.Entry<Expression, Expression>> entries = new ArrayList<>();
        while (!take("}")) {
            Expression key = expression();
            expect(":");
            entries.add(Map.entry(key, expression()));
            if (!peek().isOperator("}")) {
                expect(",");
            }
        }
        return new Expression.Dictionary(entries);
    }

    private Expression postfix(Expression of) {
        Expression value = of;
        while (true) {
            int line = peek().line();
            if (take(".")) {
                value = peek().kind() == Kind.INTEGER
                        ? new Expression.Subscript(value, new Expression.Literal(integer(next())))
                        : new Expression.Attribute(value, expectName());
            } else if (take("[")) {
                value = subscript(value);
            } else if (take("(")) {
                value = new Expression.Call(value, arguments(), line);
            } else {
                return value;
            }
        }
    }

    private Expression subscript(Expression of) {
        Expression start = peek().isOperator(":") ? null : tuple();
        if (start != null && take("]")) {
            return new Expression.Subscript(of, start);
        }
        expect(":");
        Expression stop = peek().isOperator(":") || peek().isOperator("]") ? null : expression();
        Expression step = take(":") && !peek().isOperator("]") ? expression() : null;
        expect("]");
        return new Expression.Slice(of, start, stop, step);
    }

    private Arguments arguments() {
        List<Expression> positional = new ArrayList<>();
        Map<String, Expression> named = new LinkedHashMap<>();
        while (!take(")")) {
            if (peek().kind() == Kind.NAME && tokens.get(position + 1).isOperator("=")) {
                String name = next().text();
                expect("=");
                named.put(name, expression());
            } else {
                positional.add(expression());
            }
            if (!peek().isOperator(")")) {
                expect(",");
            }
        }
        return new Arguments(positional, named);
    }

    private Expression filters(Expression of) {
        Expression value = of;
        while (true) {
            int line = peek().line();
            if (take("|")) {
                value = filter(value, line);
            } else if (takeName("is")) {
                value = test(value, line);
            } else if (take("(")) {
                value = new Expression.Call(value, arguments(), line);
            } else {
                return value;
            }
        }
    }

    /** A filter after its bar. */
    Expression.Filter filter(Expression of, int line) {
        String name = expectName();
        return new Expression.Filter(of, name, take("(") ? arguments() : Arguments.NONE, line);
    }

    private Expression test(Expression of, int line) {
        boolean negated = takeName("not");
        String name = peek().kind() == Kind.NAME ? next().text() : expectName();
        Arguments arguments = Arguments.NONE;
        if (take("(")) {
            arguments = arguments();
        } else if (startsTestArgument()) {
            arguments = new Arguments(List.of(postfix(primary())), Map.of());
        }
        Expression test = new Expression.Test(of, name, arguments, line);
        return negated ? new Expression.Unary("not", test) : test;
    }

    private boolean startsTestArgument() {
        Token token = peek();
        return switch (token.kind()) {
            case STRING, INTEGER, FLOAT -> true;
            case NAME -> !NOT_AN_ARGUMENT.contains(token.text());
            case OPERATOR -> token.text().equals("[") || token.text().equals("{");
            default -> false;
        };
    }
}
