package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxSyntaxException;
import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The dotted parts of an instruction, taken one by one as a decoder understands them. What nobody takes is an error: an
 * unknown modifier must never be ignored.
 */
final class Modifiers {

    private final String file;
    private final Statement statement;
    private final List<String> rest;

    Modifiers(String file, Statement statement) {
        this.file = file;
        this.statement = statement;
        rest = new ArrayList<>(statement.modifiers());
    }

    String opcode() {
        return statement.opcode();
    }

    /** Takes a modifier wherever it stands; says whether it was there. */
    boolean take(String modifier) {
        return rest.remove(modifier);
    }

    /** Takes the first of the given modifiers that is there. */
    Optional<String> takeOneOf(String... choices) {
        for (String choice : choices) {
            if (rest.remove(choice)) {
                return Optional.of(choice);
            }
        }
        return Optional.empty();
    }

    /** Takes one of the given modifiers, of which there must be one. */
    String requireOneOf(String... choices) {
        return takeOneOf(choices).orElseThrow(() -> error("needs one of ." + String.join(" .", choices)));
    }

    /** Takes a modifier that starts with a prefix, such as {@code L2::}; says whether there was one. */
    boolean takePrefixed(String prefix) {
        return rest.removeIf(modifier -> modifier.startsWith(prefix));
    }

    /** Takes the last modifier, which must be one of these types. */
    PtxType takeType(PtxType... allowed) {
        PtxType type = takeType();
        if (!List.of(allowed).contains(type)) {
            throw unsupported(type);
        }
        return type;
    }

    private PtxType takeType() {
        if (rest.isEmpty()) {
            throw error("has no type");
        }
        String name = rest.removeLast();
        PtxType type = PtxType.named(name);
        if (type == null) {
            throw error("ends with '." + name + "', which is not a type");
        }
        return type;
    }

    /** Fails when something was not taken. */
    void requireAllTaken() {
        if (!rest.isEmpty()) {
            throw error("has the modifier '." + rest.getFirst() + "', which is not supported");
        }
    }

    PtxSyntaxException error(String problem) {
        return new PtxSyntaxException(file, statement.line(), "'" + statement.mnemonic() + "' " + problem);
    }

    /** For types an opcode has no form for. */
    PtxSyntaxException unsupported(PtxType type) {
        return error("is not supported for ." + type);
    }
}
