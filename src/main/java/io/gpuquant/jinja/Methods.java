package io.gpuquant.jinja;

import io.gpuquant.jinja.Function.Arguments;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/** The methods of Python's strings, lists and dictionaries that change nothing. */
final class Methods {

    private Methods() {}

    /** A method of a dictionary, null if there is none of that name. */
    static @Nullable Function of(Map<?, ?> map, String name) {
        return switch (name) {
            case "items" -> arguments -> items(map);
            case "keys" -> arguments -> new ArrayList<Object>(map.keySet());
            case "values" -> arguments -> new ArrayList<@Nullable Object>(map.values());
            case "get" ->
                arguments -> {
                    Object key = arguments.required(0, "key");
                    return key != null && map.containsKey(key) ? map.get(key) : arguments.get(1, "default", null);
                };
            default -> null;
        };
    }

    /** Keys and values in pairs. */
    static List<@Nullable Object> items(Map<?, ?> map) {
        List<@Nullable Object> items = new ArrayList<>();
        map.forEach((key, value) -> {
            List<@Nullable Object> pair = new ArrayList<>();
            pair.add(key);
            pair.add(value);
            items.add(new Tuple(pair));
        });
        return items;
    }

    /** A method of a list. */
    static @Nullable Function of(List<?> list, String name) {
        return switch (name) {
            case "count" ->
                arguments -> {
                    Object item = arguments.required(0, "value");
                    return list.stream()
                            .filter(other -> Values.equal(other, item))
                            .count();
                };
            case "index" ->
                arguments -> {
                    Object item = arguments.required(0, "value");
                    for (int i = 0; i < list.size(); i++) {
                        if (Values.equal(list.get(i), item)) {
                            return (long) i;
                        }
                    }
                    throw new TemplateException(arguments.line(), "an item is not in the list");
                };
            default -> null;
        };
    }

    /** A method of a string. */
    static @Nullable Function of(String text, String name) {
        return switch (name) {
            case "strip" -> arguments -> stripped(text, arguments, true, true);
            case "lstrip" -> arguments -> stripped(text, arguments, true, false);
            case "rstrip" -> arguments -> stripped(text, arguments, false, true);
            case "split" -> arguments -> split(text, arguments, false);
            case "rsplit" -> arguments -> split(text, arguments, true);
            case "splitlines" -> arguments -> Strings.lines(text, arguments.truth(0, "keepends"));
            case "startswith" -> arguments -> affix(arguments).stream().anyMatch(text::startsWith);
            case "endswith" -> arguments -> affix(arguments).stream().anyMatch(text::endsWith);
            case "upper" -> arguments -> text.toUpperCase(Locale.ROOT);
            case "lower" -> arguments -> text.toLowerCase(Locale.ROOT);
            case "title" -> arguments -> Strings.title(text);
            case "capitalize" -> arguments -> Strings.capitalize(text);
            case "replace" -> arguments -> replaced(text, arguments);
            case "find" -> arguments -> position(text, text.indexOf(arguments.text(0, "sub")));
            case "rfind" -> arguments -> position(text, text.lastIndexOf(arguments.text(0, "sub")));
            case "count" -> arguments -> count(text, arguments.text(0, "sub"));
            case "join" ->
                arguments -> joined(text, Values.iterate(arguments.required(0, "iterable"), arguments.line()));
            case "removeprefix" ->
                arguments -> {
                    String prefix = arguments.text(0, "prefix");
                    return text.startsWith(prefix) ? text.substring(prefix.length()) : text;
                };
            case "removesuffix" ->
                arguments -> {
                    String suffix = arguments.text(0, "suffix");
                    return text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text;
                };
            case "isdigit" -> arguments -> all(text, Character::isDigit);
            case "isalpha" -> arguments -> all(text, Character::isLetter);
            case "isalnum" -> arguments -> all(text, Character::isLetterOrDigit);
            case "isspace" -> arguments -> all(text, Strings::isSpace);
            case "isupper" -> arguments -> text.equals(text.toUpperCase(Locale.ROOT)) && hasCase(text);
            case "islower" -> arguments -> text.equals(text.toLowerCase(Locale.ROOT)) && hasCase(text);
            default -> null;
        };
    }

    private static Object stripped(String text, Arguments arguments, boolean leading, boolean trailing) {
        if (arguments.get(0, "chars", null) instanceof String characters) {
            return Strings.strip(text, characters, leading, trailing);
        }
        String left = leading ? Strings.stripLeading(text) : text;
        return trailing ? Strings.stripTrailing(left) : left;
    }

    private static Object split(String text, Arguments arguments, boolean fromRight) {
        long most = arguments.integer(1, "maxsplit", -1);
        Object separator = arguments.get(0, "sep", null);
        if (separator == null && fromRight && most >= 0) {
            throw new TemplateException(arguments.line(), "rsplit at white space with a limit is not supported");
        }
        if (separator == null) {
            return Strings.splitAtSpace(text, most);
        }
        String at = arguments.text(0, "sep");
        if (at.isEmpty()) {
            throw new TemplateException(arguments.line(), "split at an empty separator");
        }
        return fromRight ? Strings.splitFromRight(text, at, most) : Strings.split(text, at, most);
    }

    private static List<String> affix(Arguments arguments) {
        return arguments.required(0, "prefix") instanceof List<?> several
                ? several.stream().map(Values::text).toList()
                : List.of(arguments.text(0, "prefix"));
    }

    static String replaced(String text, Arguments arguments) {
        String old = arguments.text(0, "old");
        String fresh = arguments.text(1, "new");
        long most = arguments.get(2, "count", null) == null ? -1 : arguments.integer(2, "count", -1);
        if (old.isEmpty() || most < 0) {
            return text.replace(old, fresh);
        }
        return joined(fresh, Strings.split(text, old, most));
    }

    private static String joined(String separator, List<@Nullable Object> parts) {
        return String.join(separator, parts.stream().map(Values::text).toList());
    }

    private static long position(String text, int at) {
        return at < 0 ? -1 : text.codePointCount(0, at);
    }

    private static long count(String text, String part) {
        return part.isEmpty()
                ? Strings.length(text) + 1L
                : Strings.split(text, part, -1).size() - 1L;
    }

    private static boolean all(String text, IntPredicate predicate) {
        return !text.isEmpty() && text.codePoints().allMatch(predicate);
    }

    private static boolean hasCase(String text) {
        return text.codePoints().anyMatch(c -> Character.isUpperCase(c) || Character.isLowerCase(c));
    }
}
