package io.gpuquant.ptx.syntax;

import java.util.ArrayList;
import java.util.List;

/** Reads the declaration of a variable, after its state space. */
final class VariableParser {

    private final TokenReader tokens;
    private final Variable.Space space;
    private final List<Long> initial = new ArrayList<>();

    VariableParser(TokenReader tokens, Variable.Space space) {
        this.tokens = tokens;
        this.space = space;
    }

    Variable parse() {
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
                // Capped, so that the product of two never overflows.
                elements = Math.min(elements, Integer.MAX_VALUE) * tokens.count("an array size");
            }
            tokens.mark("]");
        }
        if (tokens.peek().is("=")) {
            parseInitializer(type);
        }
        tokens.mark(";");
        if (open != (space == Variable.Space.DYNAMIC_SHARED)) {
            throw tokens.error(name, "'" + identifier + "' must have a size unless it is '.extern .shared'");
        }
        long bytes = open ? 0 : elements * type.bytes();
        if (elements > Integer.MAX_VALUE || bytes > Integer.MAX_VALUE) {
            throw tokens.error(name, "'" + identifier + "' is too large");
        }
        if (initial.size() > elements) {
            throw tokens.error(name, "'" + identifier + "' has more initial values than elements");
        }
        return new Variable(identifier, space, Math.max(alignment, type.bytes()), (int) bytes, initial, type.bytes());
    }

    private void parseInitializer(PtxType type) {
        Token start = tokens.next();
        if (space != Variable.Space.GLOBAL) {
            throw tokens.error(start, "only '.global' and '.const' variables may have initial values");
        }
        if (!tokens.tryMark("{")) {
            initial.add(value(type));
            return;
        }
        do {
            initial.add(value(type));
        } while (tokens.tryMark(","));
        tokens.mark("}");
    }

    private long value(PtxType type) {
        Token token = tokens.peek();
        Operand.Immediate value = tokens.number();
        boolean isFloat = value.form() != Operand.Immediate.Form.INTEGER;
        if (isFloat && !type.isFloat() || !isFloat && type.isFloat()) {
            throw tokens.error(token, token + " cannot initialize a variable of type ." + type);
        }
        if (type == PtxType.F32 && value.form() == Operand.Immediate.Form.F64_BITS) {
            return Float.floatToRawIntBits((float) Double.longBitsToDouble(value.bits()));
        }
        if (type == PtxType.F64 && value.form() == Operand.Immediate.Form.F32_BITS) {
            return Double.doubleToRawLongBits(Float.intBitsToFloat((int) value.bits()));
        }
        return value.bits();
    }
}
