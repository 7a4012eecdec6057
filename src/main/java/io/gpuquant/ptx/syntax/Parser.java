package io.gpuquant.ptx.syntax;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Reads the module level of a PTX file. */
final class Parser {

    private static final Set<String> LINKAGE = Set.of("visible", "weak", "extern");

    private final TokenReader tokens;

    Parser(String file, String text) {
        tokens = new TokenReader(file, new Lexer(file, text).tokens());
        this.file = file;
    }

    private final String file;

    PtxFile parseFile() {
        Token start = tokens.peek();
        if (!tokens.tryDotted("version")) {
            throw tokens.error(start, "expected '.version' first, found " + start);
        }
        int version = 10 * tokens.count("a version");
        tokens.mark(".");
        version += tokens.count("a minor version");
        if (!tokens.tryDotted("target")) {
            throw tokens.error(tokens.peek(), "expected '.target', found " + tokens.peek());
        }
        String target = tokens.word("a target");
        while (tokens.tryMark(",")) {
            tokens.word("a target option");
        }
        if (tokens.tryDotted("address_size") && tokens.count("an address size") != Long.SIZE) {
            throw tokens.error(tokens.peek(), "only '.address_size 64' is supported");
        }
        return new PtxFile(file, version, target, parseModule());
    }

    private List<Entry> parseModule() {
        List<Entry> entries = new ArrayList<>();
        List<Variable> moduleVariables = new ArrayList<>();
        while (tokens.peek().kind() != Token.Kind.END) {
            Token token = tokens.peek();
            String directive = tokens.dotted("a directive");
            boolean external = directive.equals("extern");
            while (LINKAGE.contains(directive)) {
                directive = tokens.dotted("a directive");
            }
            switch (directive) {
                case "entry" -> entries.add(new EntryParser(tokens, moduleVariables).parse());
                case "shared" ->
                    moduleVariables.add(new VariableParser(tokens)
                            .parse(external ? Variable.Space.DYNAMIC_SHARED : Variable.Space.SHARED));
                case "file" -> {
                    tokens.next();
                    tokens.next();
                }
                default -> throw tokens.error(token, "the directive '." + directive + "' is not supported");
            }
        }
        return entries;
    }
}
