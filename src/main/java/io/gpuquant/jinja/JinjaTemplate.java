package io.gpuquant.jinja;

import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A Jinja template, parsed as transformers parses chat templates: {@code trim_blocks}, {@code lstrip_blocks}, loop controls,
 * and the functions {@code raise_exception} and {@code strftime_now}. Not part of it: inheritance, imports, {@code call} and
 * {@code filter} blocks, and methods that change lists or dictionaries.
 *
 * <p>{@code strftime_now} says {@link #DATE} whatever day it is, because what is made today must be the same tomorrow.
 *
 * <p>Safe for use by several threads.
 */
public final class JinjaTemplate {

    /** The day that templates are told it is: the one that Llama 3 names where a template has no clock. */
    public static final LocalDateTime DATE = LocalDateTime.of(2024, 7, 26, 0, 0);

    private static final long MOST_RANGE = 100_000;

    private final List<Statement> statements;

    private JinjaTemplate(List<Statement> statements) {
        this.statements = statements;
    }

    /**
     * Parses a template.
     *
     * @throws TemplateException when it is not valid, or uses what is not supported
     */
    public static JinjaTemplate parse(String source) {
        try {
            return new JinjaTemplate(TemplateParser.parse(source));
        } catch (StackOverflowError nested) {
            throw new TemplateException("its blocks or expressions are nested too deep");
        }
    }

    /**
     * The text that the template makes.
     *
     * @param variables by their names: null, Boolean, Long, Double, String, List and Map of such, with strings for keys
     * @throws TemplateException when that cannot be done, or the template refuses it by {@code raise_exception}
     */
    public String render(Map<String, ? extends @Nullable Object> variables) {
        Scope globals = new Scope(null);
        globals.set("namespace", (Function) JinjaTemplate::namespace);
        globals.set("dict", (Function) arguments -> new LinkedHashMap<>(arguments.named()));
        globals.set("range", (Function) JinjaTemplate::range);
        globals.set("raise_exception", (Function) arguments -> {
            throw new TemplateException(Values.text(arguments.get(0, "message", "")));
        });
        globals.set("strftime_now", (Function) arguments -> Dates.format(DATE, arguments.text(0, "format")));
        Scope scope = new Scope(globals);
        variables.forEach(scope::set);
        try {
            return new Renderer().render(statements, scope);
        } catch (StackOverflowError nested) {
            throw new TemplateException("its values or calls are nested too deep");
        }
    }

    private static Object namespace(Function.Arguments arguments) {
        Namespace namespace = new Namespace();
        if (arguments.get(0, "", null) instanceof Map<?, ?> map) {
            map.forEach((key, value) -> namespace.attributes().put(Values.text(key), value));
        }
        namespace.attributes().putAll(arguments.named());
        return namespace;
    }

    private static Object range(Function.Arguments arguments) {
        boolean one = arguments.positional().size() == 1;
        long start = one ? 0 : arguments.integer(0, "start", 0);
        long stop = arguments.integer(one ? 0 : 1, "stop", 0);
        long step = arguments.integer(2, "step", 1);
        if (step == 0) {
            throw new TemplateException(arguments.line(), "a range with a step of zero");
        }
        List<@Nullable Object> range = new ArrayList<>();
        for (long i = start; step > 0 ? i < stop : i > stop; i += step) {
            range.add(i);
            if (range.size() > MOST_RANGE) {
                throw new TemplateException(arguments.line(), "a range of more than " + MOST_RANGE + " numbers");
            }
        }
        return range;
    }
}
