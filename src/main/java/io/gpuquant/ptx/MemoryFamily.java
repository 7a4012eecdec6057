package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Entry;
import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.List;
import java.util.Set;

/** Loads and stores. On a fast machine global and shared ones have loops of their own; the rest share careful ones. */
final class MemoryFamily implements Family {

    private static final Set<String> OPCODES = Set.of("ld", "st", "ldu");
    private static final int LARGEST_ACCESS = 16;

    private final boolean checked;

    MemoryFamily(boolean checked) {
        this.checked = checked;
    }

    @Override
    public boolean knows(Statement statement) {
        return OPCODES.contains(statement.opcode());
    }

    @Override
    public Operation decode(Modifiers modifiers, Operands operands) {
        takeHints(modifiers);
        int vector = modifiers
                .takeOneOf("v2", "v4")
                .map(name -> name.charAt(1) - '0')
                .orElse(1);
        PtxType type = modifiers.takeType();
        String space = modifiers
                .takeOneOf("global", "shared", "shared::cta", "local", "param")
                .orElse("generic");
        if (type.bytes() * vector > LARGEST_ACCESS || type.bits() < Byte.SIZE) {
            throw modifiers.unsupported(type);
        }
        boolean load = !modifiers.opcode().equals("st");
        if (space.equals("param")) {
            return parameter(modifiers, operands, type, load && vector == 1);
        }
        return new AccessDecoder(operands, type, vector, checked).decode(load, space);
    }

    /** Caching and ordering hints, none of which a machine that executes in order has a use for. */
    private static void takeHints(Modifiers modifiers) {
        modifiers.take("nc");
        modifiers.take("volatile");
        modifiers.takeOneOf("relaxed", "acquire", "release", "weak");
        modifiers.takeOneOf("cta", "gpu", "sys");
        modifiers.takeOneOf("ca", "cg", "cs", "lu", "cv", "wb", "wt");
        modifiers.takePrefixed("L1::");
        modifiers.takePrefixed("L2::");
    }

    private static Operation parameter(Modifiers modifiers, Operands operands, PtxType type, boolean simple) {
        operands.requireCount(2);
        if (!simple
                || !(operands.get(1) instanceof Operand.Address address)
                || !(address.base() instanceof Operand.Symbol symbol)) {
            throw modifiers.error("is supported as the load of a parameter by its name only");
        }
        Entry.Parameter parameter = operands.symbols().parameter(symbol.name());
        if (parameter == null) {
            throw operands.error("names a parameter that is not there");
        }
        int offset = parameter.offset() + (int) address.offset();
        if (address.offset() < 0
                || address.offset() + type.bytes() > parameter.type().bytes()) {
            throw operands.error("reads outside the parameter");
        }
        return type.isWide()
                ? new ParameterLoad.Wide(operands.wideTarget(0), offset)
                : new ParameterLoad.Word(operands.wordTarget(0), offset, type);
    }

    /** Registers of the elements of a vector operand. */
    static int[] registers(Operands operands, List<Operand> elements, PtxType type, boolean target) {
        return elements.stream()
                .mapToInt(element -> {
                    if (type.isWide()) {
                        return target ? operands.wideTarget(element) : operands.wide(element, type);
                    }
                    return target ? operands.wordTarget(element) : operands.word(element, type);
                })
                .toArray();
    }
}
