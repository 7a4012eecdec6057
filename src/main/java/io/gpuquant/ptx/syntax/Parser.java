package io.gpuquant.ptx.syntax;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads the module level of a PTX file. */
final class Parser {

    private static final Set<String> LINKAGE = Set.of("visible", "weak", "extern");
    private static final Pattern VERSION = Pattern.compile("(\\d)\\.(\\d)");
    private static final int ADDRESS_BITS = 64;

    private final String file;
    private final TokenReader tokens;
    private final List<Variable> variables = new ArrayList<>();
    private final List<Entry> entries = new ArrayList<>();

    Parser(String file, String text) {
        this.file = file;
        tokens = new TokenReader(file, new Lexer(file, text).tokens());
    }

    PtxFile parseFile() {
        int version = parseVersion();
        String target = parseTarget();
        Token token = tokens.peek();
        if (tokens.tryDotted("address_size") && tokens.count("an address size") != ADDRESS_BITS) {
            throw tokens.error(token, "only '.address_size 64' is supported");
        }
        while (tokens.peek().kind() != Token.Kind.END) {
            parseDirective();
        }
        return new PtxFile(file, version, target, variables, entries);
    }

    private int parseVersion() {
        Token start = tokens.peek();
        if (!tokens.tryDotted("version")) {
            throw tokens.error(start, "expected '.version' first, found " + start);
        }
        Token token = tokens.next();
        Matcher version = VERSION.matcher(token.text());
        if (token.kind() != Token.Kind.NUMBER || !version.matches()) {
            throw tokens.error(token, "expected a version such as 7.4, found " + token);
        }
        return 10 * Integer.parseInt(version.group(1)) + Integer.parseInt(version.group(2));
    }

    private String parseTarget() {
        Token start = tokens.peek();
        if (!tokens.tryDotted("target")) {
            throw tokens.error(start, "expected '.target', found " + start);
        }
        String target = tokens.word("a target");
        while (tokens.tryMark(",")) {
            tokens.word("a target option");
        }
        return target;
    }

    private void parseDirective() {
        Token token = tokens.peek();
        String directive = tokens.dotted("a directive");
        boolean external = directive.equals("extern");
        while (LINKAGE.contains(directive)) {
            directive = tokens.dotted("a directive");
        }
        switch (directive) {
            case "entry" -> entries.add(new EntryParser(tokens, variables).parse());
            case "shared" -> addVariable(external ? Variable.Space.DYNAMIC_SHARED : Variable.Space.SHARED);
            case "global", "const" -> addVariable(Variable.Space.GLOBAL);
            case "file" -> {
                tokens.next();
                tokens.next();
            }
            default -> throw tokens.error(token, "the directive '." + directive + "' is not supported");
        }
    }

    private void addVariable(Variable.Space space) {
        variables.add(new VariableParser(tokens, space).parse());
    }
}
