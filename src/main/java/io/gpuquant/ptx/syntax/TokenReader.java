package io.gpuquant.ptx.syntax;

import java.util.List;

/** Walks over tokens; what is not as expected becomes a {@link PtxSyntaxException} at its line. */
final class TokenReader {

    private final String file;
    private final List<Token> tokens;
    private int position;

    TokenReader(String file, List<Token> tokens) {
        this.file = file;
        this.tokens = tokens;
    }

    Token peek() {
        return tokens.get(position);
    }

    Token peekSecond() {
        return tokens.get(Math.min(position + 1, tokens.size() - 1));
    }

    Token next() {
        Token token = tokens.get(position);
        if (token.kind() != Token.Kind.END) {
            position++;
        }
        return token;
    }

    boolean tryMark(String mark) {
        if (peek().is(mark)) {
            next();
            return true;
        }
        return false;
    }

    boolean tryDotted(String name) {
        if (peek().isDotted(name)) {
            next();
            return true;
        }
        return false;
    }

    void mark(String mark) {
        Token token = next();
        if (!token.is(mark)) {
            throw error(token, "expected '" + mark + "', found " + token);
        }
    }

    String word(String what) {
        Token token = next();
        if (token.kind() != Token.Kind.WORD) {
            throw error(token, "expected " + what + ", found " + token);
        }
        return token.text();
    }

    String dotted(String what) {
        Token token = next();
        if (token.kind() != Token.Kind.DOTTED) {
            throw error(token, "expected " + what + ", found " + token);
        }
        return token.text();
    }

    /** A type such as {@code .f32}. */
    PtxType type() {
        Token token = next();
        PtxType type = token.kind() == Token.Kind.DOTTED ? PtxType.named(token.text()) : null;
        if (type == null) {
            throw error(token, "expected a type, found " + token);
        }
        return type;
    }

    /** A non-negative decimal or hexadecimal integer that fits an int. */
    int count(String what) {
        Token token = next();
        if (token.kind() == Token.Kind.NUMBER) {
            Operand.Immediate value = Literals.parse(token, false);
            if (value != null
                    && value.form() == Operand.Immediate.Form.INTEGER
                    && value.bits() >= 0
                    && value.bits() <= Integer.MAX_VALUE) {
                return (int) value.bits();
            }
        }
        throw error(token, "expected " + what + ", found " + token);
    }

    /** A number of any form, with its sign. */
    Operand.Immediate number() {
        boolean negative = tryMark("-");
        Token token = next();
        if (token.kind() != Token.Kind.NUMBER) {
            throw error(token, "expected a number, found " + token);
        }
        Operand.Immediate value = Literals.parse(token, negative);
        if (value == null) {
            throw error(token, token + " is not a number that fits into 64 bits");
        }
        return value;
    }

    void skipPast(String mark) {
        while (!peek().is(mark)) {
            if (next().kind() == Token.Kind.END) {
                throw error(peek(), "expected '" + mark + "' before the end of the file");
            }
        }
        next();
    }

    PtxSyntaxException error(Token at, String problem) {
        return new PtxSyntaxException(file, at.line(), problem);
    }
}
