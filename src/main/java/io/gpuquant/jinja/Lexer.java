package io.gpuquant.jinja;

import io.gpuquant.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Cuts a template into tokens, with {@code trim_blocks} and {@code lstrip_blocks} as transformers sets them: the line end after
 * a block is dropped, and so is white space between the start of a line and a block. Signs at a tag go before that:
 * {@code {%-} drops all white space on its side, {@code {%+} keeps all.
 */
final class Lexer {

    private static final Pattern OPEN = Pattern.compile("\\{([{%#])([-+]?)");
    private static final Pattern RAW = Pattern.compile("\\s*raw\\s*(-?)%\\}");
    private static final Pattern END_RAW = Pattern.compile("\\{%([-+]?)\\s*endraw\\s*([-+]?)%\\}");
    private static final Pattern PIECE = Pattern.compile(
            "\\s+"
                    + "|(?<name>[\\p{L}_][\\p{L}\\p{N}_]*)"
                    + "|(?<float>\\d[\\d_]*(?:\\.\\d+(?:[eE][+-]?\\d+)?|[eE][+-]?\\d+))"
                    + "|(?<integer>\\d[\\d_]*)"
                    + "|(?<string>'(?:[^'\\\\]|\\\\.)*+'|\"(?:[^\"\\\\]|\\\\.)*+\")"
                    + "|(?<close>[-+]?(?:%\\}|\\}\\}))"
                    + "|(?<operator>\\*\\*|//|==|!=|<=|>=|[-+*/%<>=~|.,:()\\[\\]{}])",
            Pattern.DOTALL);

    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private int position;
    private int line = 1;

    private Lexer(String source) {
        this.source = source;
    }

    /** The tokens of a template, the last of them of kind {@code END}. */
    static List<Token> tokens(String template) {
        String source = template.replace("\r\n", "\n").replace('\r', '\n');
        Lexer lexer = new Lexer(source.endsWith("\n") ? source.substring(0, source.length() - 1) : source);
        lexer.run();
        return lexer.tokens;
    }

    private void run() {
        Matcher open = OPEN.matcher(source);
        while (open.find(position)) {
            char kind = open.group(1).charAt(0);
            text(open.start(), kind, open.group(2));
            advance(open.end());
            switch (kind) {
                case '#' -> comment();
                case '%' -> block();
                default -> {
                    add(Kind.PRINT_BEGIN, "{{");
                    code("}}", Kind.PRINT_END);
                }
            }
        }
        addText(source.substring(position));
        add(Kind.END, "");
    }

    private void block() {
        Matcher raw = RAW.matcher(source).region(position, source.length());
        if (!raw.lookingAt()) {
            add(Kind.BLOCK_BEGIN, "{%");
            code("%}", Kind.BLOCK_END);
            return;
        }
        advance(raw.end());
        // A line end after it stays, unlike after other blocks.
        if (raw.group(1).equals("-")) {
            skipWhiteSpace();
        }
        Matcher end = END_RAW.matcher(source);
        if (!end.find(position)) {
            throw new TemplateException(line, "a raw block without an end");
        }
        text(end.start(), '%', end.group(1));
        advance(end.end());
        afterBlock(end.group(2));
    }

    private void comment() {
        int end = source.indexOf("#}", position);
        if (end < 0) {
            throw new TemplateException(line, "a comment without an end");
        }
        char sign = source.charAt(end - 1);
        advance(end + 2);
        afterBlock(sign == '-' || sign == '+' ? String.valueOf(sign) : "");
    }

    /** Plain text up to a tag. */
    private void text(int end, char tag, String sign) {
        String text = source.substring(position, end);
        if (sign.equals("-")) {
            addText(Strings.stripTrailing(text));
        } else if (sign.isEmpty() && tag != '{') {
            int lineStart = text.lastIndexOf('\n') + 1;
            boolean startsLine = lineStart > 0 || position == 0 || source.charAt(position - 1) == '\n';
            boolean blank = Strings.stripTrailing(text.substring(lineStart)).isEmpty();
            addText(startsLine && blank ? text.substring(0, lineStart) : text);
        } else {
            addText(text);
        }
    }

    private void addText(String text) {
        if (!text.isEmpty()) {
            add(Kind.TEXT, text);
        }
    }

    /** What follows a block or a comment. */
    private void afterBlock(String sign) {
        if (sign.equals("-")) {
            skipWhiteSpace();
        } else if (sign.isEmpty() && position < source.length() && source.charAt(position) == '\n') {
            advance(position + 1);
        }
    }

    private void skipWhiteSpace() {
        int end = position;
        while (end < source.length() && Strings.isSpace(source.charAt(end))) {
            end++;
        }
        advance(end);
    }

    /** The inside of a tag. */
    private void code(String close, Kind closeKind) {
        int depth = 0;
        Matcher piece = PIECE.matcher(source);
        while (position < source.length()) {
            piece.region(position, source.length());
            if (!piece.lookingAt()) {
                throw new TemplateException(line, "an unexpected '" + source.charAt(position) + "'");
            }
            String text = piece.group();
            if (piece.group("close") != null) {
                if (depth == 0 && text.endsWith(close)) {
                    add(closeKind, close);
                    advance(piece.end());
                    end(closeKind, text.length() > 2 ? text.substring(0, 1) : "");
                    return;
                }
                // A sign, a remainder or the end of a dictionary.
                text = text.substring(0, 1);
            }
            depth += "([{".contains(text) ? 1 : ")]}".contains(text) ? -1 : 0;
            piece(piece, text);
            advance(position + text.length());
        }
        throw new TemplateException(line, "a tag without " + close);
    }

    private void end(Kind closeKind, String sign) {
        if (closeKind == Kind.BLOCK_END) {
            afterBlock(sign);
        } else if (sign.equals("-")) {
            skipWhiteSpace();
        }
    }

    private void piece(Matcher piece, String text) {
        if (piece.group("name") != null) {
            add(Kind.NAME, text);
        } else if (piece.group("float") != null) {
            add(Kind.FLOAT, text.replace("_", ""));
        } else if (piece.group("integer") != null) {
            add(Kind.INTEGER, text.replace("_", ""));
        } else if (piece.group("string") != null) {
            add(Kind.STRING, Strings.unescape(text.substring(1, text.length() - 1), line));
        } else if (!text.isBlank()) {
            add(Kind.OPERATOR, text);
        }
    }

    private void add(Kind kind, String text) {
        tokens.add(new Token(kind, text, line));
    }

    private void advance(int to) {
        for (int i = position; i < to; i++) {
            line += source.charAt(i) == '\n' ? 1 : 0;
        }
        position = to;
    }
}
