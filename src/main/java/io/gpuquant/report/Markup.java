package io.gpuquant.report;

import java.util.ArrayDeque;
import java.util.Deque;

/** Writes elements of HTML and SVG. Whatever is given as text or as a value of an attribute is escaped. */
final class Markup {

    private static final char REPLACEMENT = '\ufffd';

    private final StringBuilder out = new StringBuilder();
    private final Deque<String> open = new ArrayDeque<>();

    /**
     * Opens an element.
     *
     * @param attributes names and values in turn; values are written with {@link String#valueOf}, doubles to hundredths
     */
    Markup open(String element, Object... attributes) {
        tag(element, attributes);
        open.push(element);
        return this;
    }

    /** Closes the element that was opened last. */
    Markup close() {
        out.append("</").append(open.pop()).append('>');
        return this;
    }

    /** An element with nothing but text in it. */
    Markup leaf(String element, String text, Object... attributes) {
        return open(element, attributes).text(text).close();
    }

    /** An element that has no end in HTML, such as {@code meta}. */
    Markup single(String element, Object... attributes) {
        tag(element, attributes);
        return this;
    }

    /** A shape with a text that appears when a pointer rests on it. */
    Markup shape(String element, String title, Object... attributes) {
        return open(element, attributes).leaf("title", title).close();
    }

    Markup text(String text) {
        out.append(escape(text));
        return this;
    }

    /** Text that is markup, or style, already. */
    Markup raw(String markup) {
        out.append(markup);
        return this;
    }

    private void tag(String element, Object... attributes) {
        out.append('<').append(element);
        for (int i = 0; i < attributes.length; i += 2) {
            out.append(' ').append(attributes[i]).append("=\"");
            Object value = attributes[i + 1];
            out.append(escape(value instanceof Double number ? Numbers.coordinate(number) : String.valueOf(value)));
            out.append('"');
        }
        out.append('>');
    }

    /** Text without the characters that mean something in HTML, and without those that may not be there at all. */
    static String escape(String text) {
        StringBuilder escaped = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '&' -> escaped.append("&amp;");
                case '<' -> escaped.append("&lt;");
                case '>' -> escaped.append("&gt;");
                case '"' -> escaped.append("&quot;");
                case '\'' -> escaped.append("&#39;");
                default -> escaped.append(isAllowed(text, i) ? c : REPLACEMENT);
            }
        }
        return escaped.toString();
    }

    /** Control characters, characters that turn the direction of a text, and halves of surrogate pairs are not. */
    private static boolean isAllowed(String text, int index) {
        char c = text.charAt(index);
        if (Character.isHighSurrogate(c)) {
            return index + 1 < text.length() && Character.isLowSurrogate(text.charAt(index + 1));
        }
        if (Character.isLowSurrogate(c)) {
            return index > 0 && Character.isHighSurrogate(text.charAt(index - 1));
        }
        return c == '\n' || (!Character.isISOControl(c) && Character.getType(c) != Character.FORMAT);
    }

    /** All that was written. */
    @Override
    public String toString() {
        if (!open.isEmpty()) {
            throw new IllegalStateException("not closed: " + open);
        }
        return out.toString();
    }
}
