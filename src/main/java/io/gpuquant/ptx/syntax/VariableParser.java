package io.gpuquant.ptx.syntax;

/** Reads the declaration of a shared or local variable, after its state space. */
final class VariableParser {

    private final TokenReader tokens;

    VariableParser(TokenReader tokens) {
        this.tokens = tokens;
    }

    Variable parse(Variable.Space space) {
        int alignment = 0;
        if (tokens.tryDotted("align")) {
            alignment = tokens.count("an alignment");
        }
        PtxType type = tokens.type();
        Token name = tokens.peek();
        String identifier = tokens.word("a variable name");
        long elements = 1;
        boolean open = false;
        while (tokens.tryMark("[")) {
            if (tokens.peek().is("]")) {
                open = true;
            } else {
                elements *= tokens.count("an array size");
            }
            tokens.mark("]");
        }
        tokens.mark(";");
        if (open != (space == Variable.Space.DYNAMIC_SHARED)) {
            throw tokens.error(name, "'" + identifier + "' must have a size unless it is '.extern .shared'");
        }
        long bytes = open ? 0 : elements * type.bytes();
        if (bytes > Integer.MAX_VALUE) {
            throw tokens.error(name, "'" + identifier + "' is too large");
        }
        return new Variable(identifier, space, Math.max(alignment, type.bytes()), (int) bytes);
    }
}
