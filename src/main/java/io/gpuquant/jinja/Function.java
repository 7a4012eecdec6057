package io.gpuquant.jinja;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Something that a template can call. */
interface Function {

    @Nullable
    Object call(Arguments arguments);

    /** Evaluated arguments of a call, of a filter without the value itself, or of a test. */
    record Arguments(List<@Nullable Object> positional, Map<String, @Nullable Object> named, int line) {

        /** An argument by its place or its name, or a value that stands for it. */
        @Nullable
        Object get(int index, String name, @Nullable Object otherwise) {
            if (index < positional.size()) {
                return positional.get(index);
            }
            return named.containsKey(name) ? named.get(name) : otherwise;
        }

        /** An argument that must be there. */
        @Nullable
        Object required(int index, String name) {
            if (index >= positional.size() && !named.containsKey(name)) {
                throw new TemplateException(line, "an argument '" + name + "' is missing");
            }
            return get(index, name, null);
        }

        /** A string that must be there. */
        String text(int index, String name) {
            if (required(index, name) instanceof String text) {
                return text;
            }
            throw new TemplateException(line, "the argument '" + name + "' is no string");
        }

        /** An integer, or a value that stands for it. */
        long integer(int index, String name, long otherwise) {
            Object value = get(index, name, otherwise);
            if (value instanceof Long number) {
                return number;
            }
            throw new TemplateException(line, "the argument '" + name + "' is no integer");
        }

        /** Whether an argument counts as true. */
        boolean truth(int index, String name) {
            return Values.truth(get(index, name, false));
        }

        /** The positional ones from an index on. */
        Arguments from(int index) {
            return new Arguments(
                    positional.subList(Math.min(index, positional.size()), positional.size()), named, line);
        }
    }
}
