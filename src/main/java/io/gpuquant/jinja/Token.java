package io.gpuquant.jinja;

/**
 * A piece of a template.
 *
 * @param text what it stands for: plain text, a name, an operator, the content of a string literal
 * @param line where it is, counted from 1
 */
record Token(Kind kind, String text, int line) {

    /** What a token is. */
    enum Kind {
        TEXT,
        PRINT_BEGIN,
        PRINT_END,
        BLOCK_BEGIN,
        BLOCK_END,
        NAME,
        STRING,
        INTEGER,
        FLOAT,
        OPERATOR,
        END
    }

    boolean is(Kind wanted, String wantedText) {
        return kind == wanted && text.equals(wantedText);
    }

    boolean isOperator(String operator) {
        return is(Kind.OPERATOR, operator);
    }

    boolean isName(String name) {
        return is(Kind.NAME, name);
    }
}
