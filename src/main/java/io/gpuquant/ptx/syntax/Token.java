package io.gpuquant.ptx.syntax;

/**
 * A piece of PTX text.
 *
 * @param text as written; for {@link Kind#DOTTED} without the dot
 */
record Token(Kind kind, String text, int line) {

    enum Kind {
        /** An identifier, opcode, register or special register: {@code add}, {@code %r1}, {@code $L__BB0_2}. */
        WORD,
        /** A directive, modifier or component: {@code .f32}, {@code .L1::no_allocate}, {@code .x}. */
        DOTTED,
        /** A number in any of PTX's forms. */
        NUMBER,
        /** A string in quotes. */
        STRING,
        /** One character of punctuation. */
        MARK,
        END
    }

    boolean is(String mark) {
        return kind == Kind.MARK && text.equals(mark);
    }

    boolean isDotted(String name) {
        return kind == Kind.DOTTED && text.equals(name);
    }

    @Override
    public String toString() {
        return switch (kind) {
            case END -> "the end of the file";
            case DOTTED -> "'." + text + "'";
            default -> "'" + text + "'";
        };
    }
}
