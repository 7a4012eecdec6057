package io.gpuquant.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** What Python does to strings. Positions and lengths count code points. */
final class Strings {

    private Strings() {}

    /** Python's {@code str.isspace} for one character. */
    static boolean isSpace(int c) {
        return Character.isWhitespace(c) || c == 0x85 || c == 0xa0 || c == 0x2007 || c == 0x202f;
    }

    /** Strips white space. */
    static String strip(String text) {
        return stripLeading(stripTrailing(text));
    }

    static String stripLeading(String text) {
        int start = 0;
        while (start < text.length() && isSpace(text.charAt(start))) {
            start++;
        }
        return text.substring(start);
    }

    static String stripTrailing(String text) {
        int end = text.length();
        while (end > 0 && isSpace(text.charAt(end - 1))) {
            end--;
        }
        return text.substring(0, end);
    }

    /** Strips any of some characters. */
    static String strip(String text, String characters, boolean leading, boolean trailing) {
        int start = 0;
        int end = text.length();
        while (leading && start < end && characters.indexOf(text.codePointAt(start)) >= 0) {
            start += Character.charCount(text.codePointAt(start));
        }
        while (trailing && end > start && characters.indexOf(text.codePointBefore(end)) >= 0) {
            end -= Character.charCount(text.codePointBefore(end));
        }
        return text.substring(start, end);
    }

    static int length(String text) {
        return text.codePointCount(0, text.length());
    }

    /** The characters, each as a string. */
    static List<Object> characters(String text) {
        return new ArrayList<>(text.codePoints().mapToObj(Character::toString).toList());
    }

    /** Splits at white space, at most {@code most} times; any number of times if that is negative. */
    static List<Object> splitAtSpace(String text, long most) {
        List<Object> parts = new ArrayList<>();
        String rest = stripLeading(text);
        while (!rest.isEmpty()) {
            int end = 0;
            while (end < rest.length() && !isSpace(rest.charAt(end))) {
                end++;
            }
            if (most >= 0 && parts.size() == most) {
                parts.add(stripTrailing(rest));
                return parts;
            }
            parts.add(rest.substring(0, end));
            rest = stripLeading(rest.substring(end));
        }
        return parts;
    }

    /** Splits at a separator from the left, at most {@code most} times; any number of times if that is negative. */
    static List<Object> split(String text, String separator, long most) {
        List<Object> parts = new ArrayList<>();
        int start = 0;
        for (int at = text.indexOf(separator); at >= 0 && (most < 0 || parts.size() < most); ) {
            parts.add(text.substring(start, at));
            start = at + separator.length();
            at = text.indexOf(separator, start);
        }
        parts.add(text.substring(start));
        return parts;
    }

    /** Splits at a separator from the right. */
    static List<Object> splitFromRight(String text, String separator, long most) {
        List<Object> parts = new ArrayList<>();
        String rest = text;
        for (int at = rest.lastIndexOf(separator); at >= 0 && (most < 0 || parts.size() < most); ) {
            parts.addFirst(rest.substring(at + separator.length()));
            rest = rest.substring(0, at);
            at = rest.lastIndexOf(separator);
        }
        parts.addFirst(rest);
        return parts;
    }

    /** Lines, without their ends. */
    static List<Object> lines(String text, boolean keepEnds) {
        List<Object> lines = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean isEnd =
                    (c >= '\n' && c <= '\r') || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029;
            if (isEnd) {
                int end = i;
                i += c == '\r' && i + 1 < text.length() && text.charAt(i + 1) == '\n' ? 1 : 0;
                lines.add(text.substring(start, keepEnds ? i + 1 : end));
                start = i + 1;
            }
        }
        if (start < text.length()) {
            lines.add(text.substring(start));
        }
        return lines;
    }

    /** The first letter of every word large, the others small. */
    static String title(String text) {
        StringBuilder title = new StringBuilder();
        boolean inWord = false;
        for (int c : text.codePoints().toArray()) {
            title.appendCodePoint(inWord ? Character.toLowerCase(c) : Character.toTitleCase(c));
            inWord = Character.isLetter(c);
        }
        return title.toString();
    }

    /** The first letter large, the others small. */
    static String capitalize(String text) {
        if (text.isEmpty()) {
            return text;
        }
        int first = Character.charCount(text.codePointAt(0));
        return Character.toString(Character.toTitleCase(text.codePointAt(0)))
                + text.substring(first).toLowerCase(Locale.ROOT);
    }

    /** The value of the inside of a string literal. */
    static String unescape(String literal, int line) {
        if (literal.indexOf('\\') < 0) {
            return literal;
        }
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < literal.length(); i++) {
            char c = literal.charAt(i);
            if (c != '\\') {
                text.append(c);
                continue;
            }
            char escaped = literal.charAt(++i);
            int digits = escaped == 'x' ? 2 : escaped == 'u' ? 4 : escaped == 'U' ? 8 : 0;
            if (digits > 0) {
                text.appendCodePoint(codePoint(literal, i + 1, digits, line));
                i += digits;
            } else {
                text.append(plain(escaped));
            }
        }
        return text.toString();
    }

    private static String plain(char escaped) {
        return switch (escaped) {
            case 'n' -> "\n";
            case 't' -> "\t";
            case 'r' -> "\r";
            case 'b' -> "\b";
            case 'f' -> "\f";
            case 'v' -> "\u000b";
            case 'a' -> "\u0007";
            case '0' -> "\0";
            case '\n' -> "";
            case '\\', '\'', '"' -> String.valueOf(escaped);
            default -> "\\" + escaped;
        };
    }

    private static int codePoint(String literal, int start, int digits, int line) {
        try {
            int value = Integer.parseInt(literal.substring(start, start + digits), 16);
            if (Character.isValidCodePoint(value)) {
                return value;
            }
        } catch (IndexOutOfBoundsException | NumberFormatException malformed) {
            // Told below.
        }
        throw new TemplateException(line, "a string with a damaged escape");
    }
}
