package io.gpuquant.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Runs statements. */
final class Renderer {

    private static final int MOST_CALLS = 100;
    private static final int MOST_CHARACTERS = 1 << 26;

    /** How a body ended. */
    private enum Ending {
        COMPLETE,
        BREAK,
        CONTINUE
    }

    private final StringBuilder out;
    private final int loopDepth;
    private final int calls;

    Renderer() {
        this(new StringBuilder(), 0, 0);
    }

    private Renderer(StringBuilder out, int loopDepth, int calls) {
        this.out = out;
        this.loopDepth = loopDepth;
        this.calls = calls;
    }

    String render(List<Statement> statements, Scope scope) {
        run(statements, scope);
        return out.toString();
    }

    private Ending run(List<Statement> statements, Scope scope) {
        for (Statement statement : statements) {
            Ending ending = run(statement, scope);
            if (ending != Ending.COMPLETE) {
                return ending;
            }
        }
        return Ending.COMPLETE;
    }

    private Ending run(Statement statement, Scope scope) {
        switch (statement) {
            case Statement.Text text -> print(text.text());
            case Statement.Print print -> print(Values.text(Evaluator.value(print.value(), scope)));
            case Statement.If conditional -> {
                return branch(conditional, scope);
            }
            case Statement.For loop -> loop(loop, scope);
            case Statement.Assign assign ->
                bind(assign.names(), Evaluator.value(assign.value(), scope), scope, assign.line());
            case Statement.AssignAttribute assign -> assign(assign, scope);
            case Statement.AssignBlock assign -> scope.set(assign.name(), captured(assign, scope));
            case Statement.Macro macro ->
                scope.set(macro.name(), (Function) arguments -> call(macro, arguments, scope));
            case Statement.Break ignored -> {
                return Ending.BREAK;
            }
            case Statement.Continue ignored -> {
                return Ending.CONTINUE;
            }
        }
        return Ending.COMPLETE;
    }

    private void print(String text) {
        if (out.length() + text.length() > MOST_CHARACTERS) {
            throw new TemplateException("it prints more than " + MOST_CHARACTERS + " characters");
        }
        out.append(text);
    }

    private Ending branch(Statement.If conditional, Scope scope) {
        for (Statement.Branch branch : conditional.branches()) {
            Expression condition = branch.condition();
            if (condition == null || Values.truth(Evaluator.value(condition, scope))) {
                return run(branch.body(), scope);
            }
        }
        return Ending.COMPLETE;
    }

    private void loop(Statement.For loop, Scope scope) {
        List<@Nullable Object> items = new ArrayList<>();
        for (Object item : Values.iterate(Evaluator.value(loop.items(), scope), loop.line())) {
            Expression condition = loop.condition();
            Scope inner = new Scope(scope);
            bind(loop.targets(), item, inner, loop.line());
            if (condition == null || Values.truth(Evaluator.value(condition, inner))) {
                items.add(item);
            }
        }
        LoopState state = new LoopState(items, loopDepth + 1);
        Renderer inside = new Renderer(out, loopDepth + 1, calls);
        for (int i = 0; i < items.size(); i++) {
            state.moveTo(i);
            Scope inner = new Scope(scope);
            inner.set("loop", state);
            bind(loop.targets(), items.get(i), inner, loop.line());
            if (inside.run(loop.body(), inner) == Ending.BREAK) {
                break;
            }
        }
        if (items.isEmpty()) {
            run(loop.otherwise(), new Scope(scope));
        }
    }

    private static void bind(List<String> names, @Nullable Object value, Scope scope, int line) {
        if (names.size() == 1) {
            scope.set(names.getFirst(), value);
            return;
        }
        List<@Nullable Object> parts = Values.iterate(value, line);
        if (parts.size() != names.size()) {
            throw new TemplateException(line, parts.size() + " values for " + names.size() + " names");
        }
        for (int i = 0; i < names.size(); i++) {
            scope.set(names.get(i), parts.get(i));
        }
    }

    private static void assign(Statement.AssignAttribute assign, Scope scope) {
        if (scope.get(assign.namespace()) instanceof Namespace namespace) {
            namespace.attributes().put(assign.attribute(), Evaluator.value(assign.value(), scope));
        } else {
            throw new TemplateException(assign.line(), "'" + assign.namespace() + "' is no namespace");
        }
    }

    private @Nullable Object captured(Statement.AssignBlock assign, Scope scope) {
        Object value = new Renderer(new StringBuilder(), loopDepth, calls).render(assign.body(), new Scope(scope));
        for (Expression.Filter filter : assign.filters()) {
            value = Filters.apply(filter.name(), value, Evaluator.arguments(filter.arguments(), filter.line(), scope));
        }
        return value;
    }

    private Object call(Statement.Macro macro, Function.Arguments arguments, Scope defined) {
        if (calls >= MOST_CALLS) {
            throw new TemplateException(arguments.line(), "macro '" + macro.name() + "' calls itself without end");
        }
        if (arguments.positional().size() > macro.parameters().size()) {
            throw new TemplateException(
                    arguments.line(),
                    "macro '" + macro.name() + "' takes " + macro.parameters().size() + " arguments");
        }
        Scope scope = new Scope(defined);
        Iterator<@Nullable Object> positional = arguments.positional().iterator();
        for (Map.Entry<String, @Nullable Expression> parameter :
                macro.parameters().entrySet()) {
            String name = parameter.getKey();
            Expression byDefault = parameter.getValue();
            Object value;
            if (positional.hasNext()) {
                value = positional.next();
            } else if (arguments.named().containsKey(name)) {
                value = arguments.named().get(name);
            } else {
                value = byDefault == null ? new Undefined(name) : Evaluator.value(byDefault, scope);
            }
            scope.set(name, value);
        }
        return new Renderer(new StringBuilder(), 0, calls + 1).render(macro.body(), scope);
    }
}
