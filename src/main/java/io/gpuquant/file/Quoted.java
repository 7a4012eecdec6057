package io.gpuquant.file;

/** Shows text from an untrusted file in a message: quoted, shortened, and without characters that act on a terminal. */
public final class Quoted {

    private static final int LONGEST = 160;

    private Quoted() {}

    /** The text in single quotes, on one line, cut after 160 characters. */
    public static String text(String text) {
        StringBuilder shown = new StringBuilder("'");
        text.codePoints().limit(LONGEST).forEach(point -> append(shown, point));
        if (text.codePointCount(0, text.length()) > LONGEST) {
            shown.append('…');
        }
        return shown.append('\'').toString();
    }

    private static void append(StringBuilder shown, int point) {
        switch (Character.getType(point)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> shown.append("\\u").append(String.format("%04x", point));
            default -> shown.appendCodePoint(point);
        }
    }
}
