package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxSyntaxException;
import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The operands of one instruction as register indices; notes which registers it reads and writes. */
final class Operands {

    private static final int SHORT_MASK = 0xffff;

    private final String file;
    private final Statement statement;
    private final RegisterNames names;
    private final KernelSymbols symbols;
    private final List<Integer> wordsRead = new ArrayList<>();
    private final List<Integer> longsRead = new ArrayList<>();
    private final List<Integer> predicatesRead = new ArrayList<>();
    private final List<Integer> wordsWritten = new ArrayList<>();
    private final List<Integer> longsWritten = new ArrayList<>();
    private final List<Integer> predicatesWritten = new ArrayList<>();

    Operands(String file, Statement statement, RegisterNames names, KernelSymbols symbols) {
        this.file = file;
        this.statement = statement;
        this.names = names;
        this.symbols = symbols;
    }

    int count() {
        return statement.operands().size();
    }

    void requireCount(int expected) {
        if (count() != expected) {
            throw error("takes " + expected + " operands, not " + count());
        }
    }

    Operand get(int position) {
        if (position >= count()) {
            throw error("needs more than " + count() + " operands");
        }
        return statement.operands().get(position);
    }

    /** The elements of a vector operand, or the operand itself as the only one. */
    List<Operand> elements(int position) {
        return get(position) instanceof Operand.Vector vector ? vector.elements() : List.of(get(position));
    }

    KernelSymbols symbols() {
        return symbols;
    }

    // Sources

    int word(int position, PtxType type) {
        return word(get(position), type);
    }

    /** A source of at most 32 bits: register, predefined register, literal or address of a shared variable. */
    int word(Operand operand, PtxType type) {
        return switch (operand) {
            case Operand.Register register -> {
                int index = index(register, false);
                wordsRead.add(index);
                yield index;
            }
            case Operand.Immediate immediate -> names.wordConstant(wordBits(immediate, type));
            case Operand.SpecialRegister special -> {
                SpecialRegister known = SpecialRegister.named(special.name());
                if (known == null) {
                    throw error("reads " + special.name() + ", which is not declared and not known");
                }
                yield names.special(known);
            }
            case Operand.Symbol symbol -> names.wordConstant(symbols.sharedAddress(this, symbol.name()));
            default -> throw error("cannot read " + operand);
        };
    }

    int wide(int position, PtxType type) {
        return wide(get(position), type);
    }

    /** A 64-bit source: register, literal or address of a variable. */
    int wide(Operand operand, PtxType type) {
        return switch (operand) {
            case Operand.Register register -> {
                int index = index(register, true);
                longsRead.add(index);
                yield index;
            }
            case Operand.Immediate immediate -> names.longConstant(longBits(immediate, type));
            case Operand.Symbol symbol -> names.longConstant(symbols.address(this, symbol.name()));
            default -> throw error("cannot read " + operand);
        };
    }

    int predicate(int position) {
        return predicate(get(position));
    }

    /** A predicate source; a negation around it is the caller's to see, by {@link #isNegated}. */
    int predicate(Operand operand) {
        return switch (operand) {
            case Operand.Negated negated -> predicate(negated.operand());
            case Operand.Register register -> {
                int index = predicateIndex(register);
                predicatesRead.add(index);
                yield index;
            }
            case Operand.Immediate immediate -> names.predicateConstant(immediate.bits() != 0);
            default -> throw error("needs a predicate, not " + operand);
        };
    }

    boolean isNegated(int position) {
        return get(position) instanceof Operand.Negated;
    }

    // Targets

    int wordTarget(int position) {
        return wordTarget(get(position));
    }

    int wordTarget(Operand operand) {
        int index = index(register(operand), false);
        wordsWritten.add(index);
        return index;
    }

    int wideTarget(int position) {
        return wideTarget(get(position));
    }

    int wideTarget(Operand operand) {
        int index = index(register(operand), true);
        longsWritten.add(index);
        return index;
    }

    int predicateTarget(int position) {
        return predicateTarget(get(position));
    }

    int predicateTarget(Operand operand) {
        int index = predicateIndex(register(operand));
        predicatesWritten.add(index);
        return index;
    }

    /** Whether an operand is a register as wide as 64 bits. */
    boolean isWideRegister(Operand operand) {
        return operand instanceof Operand.Register register && typeOf(register).isWide();
    }

    /** Whether an operand is a predicate register. */
    boolean isPredicate(Operand operand) {
        return operand instanceof Operand.Register register && typeOf(register) == PtxType.PRED;
    }

    /** Width in bits of the register an operand is. */
    int registerBits(Operand operand) {
        return typeOf(register(operand)).bits();
    }

    /** A literal integer. */
    int literal(int position) {
        if (get(position) instanceof Operand.Immediate immediate
                && immediate.form() == Operand.Immediate.Form.INTEGER
                && immediate.bits() == (int) immediate.bits()) {
            return (int) immediate.bits();
        }
        throw error("needs a literal integer, not " + get(position));
    }

    /** The register of a literal. */
    int constant(int value) {
        return names.wordConstant(value);
    }

    Instruction.RegisterUse uses() {
        return new Instruction.RegisterUse(
                array(wordsRead),
                array(longsRead),
                array(predicatesRead),
                array(wordsWritten),
                array(longsWritten),
                array(predicatesWritten));
    }

    PtxSyntaxException error(String problem) {
        return new PtxSyntaxException(file, statement.line(), "'" + statement + "' " + problem);
    }

    private int index(Operand.Register register, boolean wide) {
        PtxType type = typeOf(register);
        if (type == PtxType.PRED || type.isWide() != wide) {
            throw error("uses " + register + " of type ." + type + " where a register of "
                    + (wide ? "64" : "at most 32") + " bits is needed");
        }
        return names.index(register.name(), type);
    }

    private int predicateIndex(Operand.Register register) {
        if (typeOf(register) != PtxType.PRED) {
            throw error("uses " + register + " as a predicate");
        }
        return names.index(register.name(), PtxType.PRED);
    }

    private Operand.Register register(Operand operand) {
        if (operand instanceof Operand.Register register) {
            return register;
        }
        throw error("needs a register, not " + operand);
    }

    private PtxType typeOf(Operand.Register register) {
        @Nullable PtxType type = names.typeOf(register.name());
        if (type == null) {
            throw error("uses " + register + ", which is not declared");
        }
        return type;
    }

    private int wordBits(Operand.Immediate immediate, PtxType type) {
        if (type == PtxType.F32 && immediate.form() == Operand.Immediate.Form.F64_BITS) {
            return Float.floatToRawIntBits((float) Double.longBitsToDouble(immediate.bits()));
        }
        if (type == PtxType.F32 && immediate.form() == Operand.Immediate.Form.INTEGER) {
            throw error("uses the integer " + immediate + " as a float; write it as 0f...");
        }
        int bits = (int) immediate.bits();
        return type.bits() <= Short.SIZE ? bits & SHORT_MASK : bits;
    }

    private static long longBits(Operand.Immediate immediate, PtxType type) {
        if (type == PtxType.F64 && immediate.form() == Operand.Immediate.Form.F32_BITS) {
            return Double.doubleToRawLongBits(Float.intBitsToFloat((int) immediate.bits()));
        }
        return immediate.bits();
    }

    private static int[] array(List<Integer> indices) {
        return indices.stream().mapToInt(Integer::intValue).distinct().toArray();
    }
}
