package io.gpuquant.ptx.syntax;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Reads one kernel. Registers of nested scopes are renamed so that every name is unique in the kernel. */
final class EntryParser {

    private static final int MAX_THREADS = 1024;
    private static final Set<String> TUNING = Set.of("maxntid", "reqntid", "minnctapersm", "maxnctapersm", "maxnreg");
    private static final Set<PtxType> WITHOUT_REGISTERS =
            Set.of(PtxType.B8, PtxType.U8, PtxType.S8, PtxType.BF16, PtxType.BF16X2, PtxType.TF32);

    private final TokenReader tokens;
    private final List<Variable> variables;
    private final List<Entry.Parameter> parameters = new ArrayList<>();
    private final Map<String, PtxType> registers = new HashMap<>();
    private final Map<String, Integer> labels = new HashMap<>();
    private final Map<String, List<String>> branchTables = new HashMap<>();
    private final List<Statement> statements = new ArrayList<>();
    private final Deque<Map<String, String>> scopes = new ArrayDeque<>();
    private int scopeCount;

    EntryParser(TokenReader tokens, List<Variable> moduleVariables) {
        this.tokens = tokens;
        this.variables = new ArrayList<>(moduleVariables);
    }

    Entry parse() {
        Token nameToken = tokens.peek();
        String name = tokens.word("a kernel name");
        parseParameters();
        int maxThreads = parseTuning();
        tokens.mark("{");
        parseScope();
        return new Entry(
                name, nameToken.line(), parameters, registers, variables, labels, branchTables, statements, maxThreads);
    }

    private void parseParameters() {
        if (!tokens.tryMark("(")) {
            return;
        }
        int offset = 0;
        while (!tokens.tryMark(")")) {
            Token start = tokens.peek();
            if (!tokens.tryDotted("param")) {
                throw tokens.error(start, "expected '.param', found " + start);
            }
            PtxType type = tokens.type();
            if (tokens.tryDotted("ptr")) {
                skipPointerAttributes();
            }
            String parameter = tokens.word("a parameter name");
            if (tokens.peek().is("[")) {
                throw tokens.error(start, "parameters passed by value as structures are not supported");
            }
            offset = (offset + type.bytes() - 1) / type.bytes() * type.bytes();
            parameters.add(new Entry.Parameter(parameter, type, offset));
            offset += type.bytes();
            tokens.tryMark(",");
        }
    }

    private void skipPointerAttributes() {
        while (tokens.peek().kind() == Token.Kind.DOTTED) {
            if (tokens.next().text().equals("align")) {
                tokens.count("an alignment");
            }
        }
    }

    private int parseTuning() {
        int maxThreads = MAX_THREADS;
        while (tokens.peek().kind() == Token.Kind.DOTTED) {
            Token token = tokens.next();
            String directive = token.text();
            if (!TUNING.contains(directive)) {
                throw tokens.error(token, "the directive " + token + " is not supported before a kernel's body");
            }
            int product = tokens.count("a number");
            while (tokens.tryMark(",")) {
                product *= tokens.count("a number");
            }
            if (directive.equals("maxntid") || directive.equals("reqntid")) {
                maxThreads = product;
            }
        }
        return maxThreads;
    }

    private void parseScope() {
        scopes.push(new HashMap<>());
        int scope = scopeCount++;
        while (!tokens.tryMark("}")) {
            Token token = tokens.peek();
            if (tokens.tryMark("{")) {
                parseScope();
            } else if (token.kind() == Token.Kind.DOTTED) {
                parseDirective(scope);
            } else if (token.kind() == Token.Kind.WORD && tokens.peekSecond().is(":")) {
                parseLabel();
            } else {
                parseStatement();
            }
        }
        scopes.pop();
    }

    private void parseDirective(int scope) {
        Token token = tokens.next();
        switch (token.text()) {
            case "reg" -> parseRegisters(scope);
            case "shared" -> variables.add(new VariableParser(tokens, Variable.Space.SHARED).parse());
            case "local" -> variables.add(new VariableParser(tokens, Variable.Space.LOCAL).parse());
            case "pragma" -> tokens.skipPast(";");
            case "loc" -> {
                tokens.count("a file number");
                tokens.count("a line");
                tokens.count("a column");
            }
            default -> throw tokens.error(token, "the directive " + token + " is not supported in a kernel");
        }
    }

    private void parseRegisters(int scope) {
        Token typeToken = tokens.peek();
        PtxType type = tokens.type();
        if (WITHOUT_REGISTERS.contains(type)) {
            throw tokens.error(typeToken, "registers of type " + typeToken + " are not supported; use plain bits");
        }
        do {
            Token token = tokens.peek();
            String name = tokens.word("a register name");
            if (tokens.tryMark("<")) {
                int count = tokens.count("a number of registers");
                tokens.mark(">");
                for (int i = 0; i < count; i++) {
                    declare(token, name + i, type, scope);
                }
            } else {
                declare(token, name, type, scope);
            }
        } while (tokens.tryMark(","));
        tokens.mark(";");
    }

    private void declare(Token at, String name, PtxType type, int scope) {
        String unique = scope == 0 ? name : name + "@" + scope;
        if (scopes.getFirst().put(name, unique) != null) {
            throw tokens.error(at, "the register '" + name + "' is declared twice");
        }
        registers.put(unique, type);
    }

    private void parseLabel() {
        Token token = tokens.next();
        tokens.mark(":");
        if (labels.containsKey(token.text()) || branchTables.containsKey(token.text())) {
            throw tokens.error(token, "the label " + token + " is defined twice");
        }
        if (tokens.tryDotted("branchtargets")) {
            branchTables.put(token.text(), parseBranchTargets());
        } else {
            labels.put(token.text(), statements.size());
        }
    }

    private List<String> parseBranchTargets() {
        List<String> targets = new ArrayList<>();
        do {
            targets.add(tokens.word("a label"));
        } while (tokens.tryMark(","));
        tokens.mark(";");
        return targets;
    }

    private void parseStatement() {
        Token start = tokens.peek();
        String guard = null;
        boolean negated = false;
        if (tokens.tryMark("@")) {
            negated = tokens.tryMark("!");
            Token token = tokens.peek();
            guard = registerNamed(tokens.word("a predicate"));
            if (guard == null) {
                throw tokens.error(token, "the predicate " + token + " is not declared");
            }
        }
        String opcode = tokens.word("an instruction");
        List<String> modifiers = new ArrayList<>();
        while (tokens.peek().kind() == Token.Kind.DOTTED) {
            modifiers.add(tokens.next().text());
        }
        List<Operand> operands = new ArrayList<>();
        if (!tokens.peek().is(";")) {
            do {
                operands.add(parseOperand());
            } while (tokens.tryMark(","));
        }
        tokens.mark(";");
        statements.add(new Statement(start.line(), guard, negated, opcode, modifiers, operands));
    }

    private Operand parseOperand() {
        if (tokens.tryMark("{")) {
            List<Operand> elements = new ArrayList<>();
            do {
                elements.add(parseOperand());
            } while (tokens.tryMark(","));
            tokens.mark("}");
            return new Operand.Vector(elements);
        }
        if (tokens.tryMark("[")) {
            return parseAddress();
        }
        if (tokens.tryMark("!")) {
            return new Operand.Negated(parseOperand());
        }
        Operand operand = parseSimpleOperand();
        return tokens.tryMark("|") ? new Operand.Pair(operand, parseSimpleOperand()) : operand;
    }

    private Operand parseAddress() {
        Operand base = parseSimpleOperand();
        long offset = 0;
        while (!tokens.tryMark("]")) {
            tokens.mark("+");
            Token token = tokens.peek();
            Operand.Immediate value = tokens.number();
            if (value.form() != Operand.Immediate.Form.INTEGER) {
                throw tokens.error(token, "an address offset must be an integer");
            }
            offset += value.bits();
        }
        return new Operand.Address(base, offset);
    }

    private Operand parseSimpleOperand() {
        Token token = tokens.peek();
        if (token.kind() == Token.Kind.NUMBER || token.is("-")) {
            return tokens.number();
        }
        String name = tokens.word("an operand");
        String register = registerNamed(name);
        if (register != null) {
            return new Operand.Register(register);
        }
        if (name.equals("WARP_SZ")) {
            return new Operand.Immediate(32, Operand.Immediate.Form.INTEGER);
        }
        if (!name.startsWith("%")) {
            return new Operand.Symbol(name);
        }
        if (tokens.peek().kind() == Token.Kind.DOTTED) {
            return new Operand.SpecialRegister(name + "." + tokens.next().text());
        }
        return new Operand.SpecialRegister(name);
    }

    private @Nullable String registerNamed(String name) {
        for (Map<String, String> scope : scopes) {
            String unique = scope.get(name);
            if (unique != null) {
                return unique;
            }
        }
        return null;
    }
}
