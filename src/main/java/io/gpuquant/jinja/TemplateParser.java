package io.gpuquant.jinja;

import io.gpuquant.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Parses a template. */
final class TemplateParser {

    private final ExpressionParser code;
    private int loops;

    private TemplateParser(List<Token> tokens) {
        code = new ExpressionParser(tokens);
    }

    static List<Statement> parse(String template) {
        TemplateParser parser = new TemplateParser(Lexer.tokens(template));
        List<Statement> statements = parser.body(Set.of());
        if (parser.code.peek().kind() != Kind.END) {
            throw parser.code.unexpected("another tag");
        }
        return statements;
    }

    /** Statements up to a tag with one of these words, whose start and word are taken; or up to the end of the template. */
    private List<Statement> body(Set<String> ends) {
        List<Statement> statements = new ArrayList<>();
        while (code.peek().kind() != Kind.END) {
            Token token = code.next();
            switch (token.kind()) {
                case TEXT -> statements.add(new Statement.Text(token.text()));
                case PRINT_BEGIN -> {
                    statements.add(new Statement.Print(code.tuple()));
                    end(Kind.PRINT_END);
                }
                default -> {
                    if (code.peek().kind() == Kind.NAME
                            && ends.contains(code.peek().text())) {
                        return statements;
                    }
                    block(statements);
                }
            }
        }
        if (!ends.isEmpty()) {
            throw new TemplateException(code.peek().line(), "the template ends where one of " + ends + " should be");
        }
        return statements;
    }

    private void end(Kind kind) {
        if (code.peek().kind() != kind) {
            throw code.unexpected("the end of the tag");
        }
        code.next();
    }

    private void endBlock() {
        end(Kind.BLOCK_END);
    }

    private void block(List<Statement> into) {
        int line = code.peek().line();
        String tag = code.expectName();
        switch (tag) {
            case "if" -> into.add(conditional());
            case "for" -> into.add(loop(line));
            case "set" -> into.add(assignment(line));
            case "macro" -> into.add(macro());
            case "break", "continue" -> {
                if (loops == 0) {
                    throw new TemplateException(line, tag + " outside of a loop");
                }
                endBlock();
                into.add(tag.equals("break") ? new Statement.Break() : new Statement.Continue());
            }
            // Marks what an assistant says, for training.
            case "generation" -> {
                endBlock();
                into.addAll(body(Set.of("endgeneration")));
                code.next();
                endBlock();
            }
            default -> throw new TemplateException(line, "an unknown tag '" + tag + "'");
        }
    }

    private Statement conditional() {
        List<Statement.Branch> branches = new ArrayList<>();
        Expression condition = code.tuple();
        while (true) {
            endBlock();
            List<Statement> body = body(condition == null ? Set.of("endif") : Set.of("elif", "else", "endif"));
            branches.add(new Statement.Branch(condition, body));
            String word = code.next().text();
            if (word.equals("endif")) {
                endBlock();
                return new Statement.If(branches);
            }
            condition = word.equals("elif") ? code.tuple() : null;
        }
    }

    private Statement loop(int line) {
        List<String> targets = targets();
        if (!code.takeName("in")) {
            throw code.unexpected("'in'");
        }
        Expression items = code.or();
        @Nullable Expression condition = code.takeName("if") ? code.expression() : null;
        code.takeName("recursive");
        endBlock();
        loops++;
        List<Statement> body = body(Set.of("else", "endfor"));
        loops--;
        List<Statement> otherwise = List.of();
        if (code.next().text().equals("else")) {
            endBlock();
            otherwise = body(Set.of("endfor"));
            code.next();
        }
        endBlock();
        return new Statement.For(targets, items, condition, body, otherwise, line);
    }

    private List<String> targets() {
        boolean bracketed = code.take("(");
        List<String> targets = new ArrayList<>(List.of(code.expectName()));
        while (code.take(",")) {
            targets.add(code.expectName());
        }
        if (bracketed) {
            code.expect(")");
        }
        return targets;
    }

    private Statement assignment(int line) {
        List<String> names = targets();
        if (names.size() == 1 && code.take(".")) {
            String attribute = code.expectName();
            code.expect("=");
            Expression value = code.tuple();
            endBlock();
            return new Statement.AssignAttribute(names.getFirst(), attribute, value, line);
        }
        if (code.take("=")) {
            Expression value = code.tuple();
            endBlock();
            return new Statement.Assign(names, value, line);
        }
        List<Expression.Filter> filters = new ArrayList<>();
        while (code.take("|")) {
            filters.add(code.filter(new Expression.Literal(null), line));
        }
        endBlock();
        List<Statement> body = body(Set.of("endset"));
        code.next();
        endBlock();
        return new Statement.AssignBlock(names.getFirst(), filters, body);
    }

    private Statement macro() {
        String name = code.expectName();
        code.expect("(");
        Map<String, @Nullable Expression> parameters = new LinkedHashMap<>();
        while (!code.take(")")) {
            String parameter = code.expectName();
            parameters.put(parameter, code.take("=") ? code.expression() : null);
            if (!code.peek().isOperator(")")) {
                code.expect(",");
            }
        }
        endBlock();
        int around = loops;
        loops = 0;
        List<Statement> body = body(Set.of("endmacro"));
        loops = around;
        code.next();
        if (code.peek().kind() == Kind.NAME) {
            code.next();
        }
        endBlock();
        return new Statement.Macro(name, parameters, body);
    }
}
