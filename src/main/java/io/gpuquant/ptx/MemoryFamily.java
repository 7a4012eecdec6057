package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Entry;
import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.Set;

/** Loads and stores. */
final class MemoryFamily implements Family {

    private static final Set<String> OPCODES = Set.of("ld", "st", "ldu");
    private static final int LARGEST_ACCESS = 16;
    private static final PtxType[] TYPES = {
        PtxType.B8,
        PtxType.B16,
        PtxType.B32,
        PtxType.B64,
        PtxType.U8,
        PtxType.U16,
        PtxType.U32,
        PtxType.U64,
        PtxType.S8,
        PtxType.S16,
        PtxType.S32,
        PtxType.S64,
        PtxType.F32,
        PtxType.F64
    };

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
        boolean store = modifiers.opcode().equals("st");
        String space = modifiers
                .takeOneOf("global", "shared", "shared::cta", "local", "param", "const")
                .orElse("generic");
        boolean hinted = takeHints(modifiers, space);
        int vector = modifiers
                .takeOneOf("v2", "v4")
                .map(name -> name.charAt(1) - '0')
                .orElse(1);
        PtxType type = modifiers.takeType(TYPES);
        if (type.bytes() * vector > LARGEST_ACCESS) {
            throw modifiers.error("accesses more than " + LARGEST_ACCESS + " bytes");
        }
        if (store && space.equals("const")) {
            throw modifiers.error("writes what is constant");
        }
        if (modifiers.opcode().equals("ldu") && !space.equals("global") && !space.equals("generic")) {
            throw modifiers.error("loads from global memory only");
        }
        operands.requireCount(hinted ? 3 : 2);
        if (hinted) {
            operands.source(2, PtxType.B64);
        }
        if (space.equals("param")) {
            if (store || vector > 1) {
                throw modifiers.error("is supported as the load of one value only");
            }
            return parameter(operands, type);
        }
        AccessDecoder decoder = new AccessDecoder(operands, type, vector, checked);
        return store ? decoder.store(MemorySpace.named(space)) : decoder.load(MemorySpace.named(space));
    }

    /**
     * Takes caching and ordering hints, none of which a machine that executes in order has a use for.
     *
     * @return whether the last operand is the policy of a cache hint
     */
    private static boolean takeHints(Modifiers modifiers, String space) {
        boolean global = space.equals("global") || space.equals("generic");
        if (!space.equals("local")) {
            modifiers.takeOneOf("volatile", "relaxed", "acquire", "release");
            modifiers.takeOneOf("cta", "gpu", "sys");
        }
        modifiers.take("weak");
        modifiers.takeOneOf("ca", "cg", "cs", "lu", "cv", "wb", "wt");
        if (space.equals("global")) {
            modifiers.take("nc");
        }
        boolean hinted = global && modifiers.take("L2::cache_hint");
        if (global) {
            modifiers.takePrefixed("L1::");
            modifiers.takePrefixed("L2::");
        }
        return hinted;
    }

    private static Operation parameter(Operands operands, PtxType type) {
        if (!(operands.get(1) instanceof Operand.Address address)
                || !(address.base() instanceof Operand.Symbol symbol)) {
            throw operands.error("needs the name of a parameter in brackets");
        }
        Entry.Parameter parameter = operands.symbols().parameter(symbol.name());
        if (parameter == null) {
            throw operands.error("names a parameter that is not there");
        }
        if (address.offset() < 0
                || address.offset() + type.bytes() > parameter.type().bytes()) {
            throw operands.error("reads outside the parameter");
        }
        int offset = parameter.offset() + (int) address.offset();
        int registerBits = operands.registerBits(operands.get(0), type);
        int target = operands.wideTarget(0, type);
        return registerBits == Long.SIZE
                ? new ParameterLoad.Wide(target, offset, type)
                : new ParameterLoad.Word(target, offset, type, registerBits);
    }
}
