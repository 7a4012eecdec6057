package io.gpuquant.ptx.syntax;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Splits PTX text into tokens; comments and white space go. */
final class Lexer {

    /**
     * Numbers are taken as far as they reach; whether they are well formed is {@link Literals}' to say. A dot and digits are
     * a number, with letters after them a modifier as in {@code tex.2d}.
     */
    private static final Pattern TOKEN = Pattern.compile("(?<space>\\s+|//[^\\n]*|/\\*(?s:.*?)\\*/)"
            + "|(?<number>(?:\\d+\\.?\\d*|\\.\\d+)[eE][-+]?\\d+|\\d[\\w.]*|\\.\\d+(?!\\w))"
            + "|(?<word>[%$_a-zA-Z][\\w$]*)"
            + "|\\.(?<dotted>[\\w$]+(?:::[\\w]+)*)"
            + "|\"(?<string>[^\"\\n]*)\""
            + "|(?<mark>[-+@!,;:|(){}\\[\\]<>=])");

    private final String file;
    private final String text;

    Lexer(String file, String text) {
        this.file = file;
        this.text = text;
    }

    List<Token> tokens() {
        List<Token> tokens = new ArrayList<>();
        Matcher matcher = TOKEN.matcher(text);
        int position = 0;
        int line = 1;
        while (position < text.length()) {
            matcher.region(position, text.length());
            if (!matcher.lookingAt()) {
                throw new PtxSyntaxException(file, line, "unexpected character '" + text.charAt(position) + "'");
            }
            Token token = token(matcher, line);
            if (token != null) {
                tokens.add(token);
            }
            for (int i = position; i < matcher.end(); i++) {
                if (text.charAt(i) == '\n') {
                    line++;
                }
            }
            position = matcher.end();
        }
        tokens.add(new Token(Token.Kind.END, "", line));
        return tokens;
    }

    private static @Nullable Token token(Matcher matcher, int line) {
        if (matcher.group("space") != null) {
            return null;
        }
        if (matcher.group("number") != null) {
            return new Token(Token.Kind.NUMBER, matcher.group("number"), line);
        }
        if (matcher.group("word") != null) {
            return new Token(Token.Kind.WORD, matcher.group("word"), line);
        }
        if (matcher.group("dotted") != null) {
            return new Token(Token.Kind.DOTTED, matcher.group("dotted"), line);
        }
        if (matcher.group("string") != null) {
            return new Token(Token.Kind.STRING, matcher.group("string"), line);
        }
        return new Token(Token.Kind.MARK, matcher.group("mark"), line);
    }
}
