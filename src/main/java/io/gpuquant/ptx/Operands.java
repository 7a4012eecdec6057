package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxSyntaxException;
import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The operands of one instruction as register indices; notes which registers it reads and writes. Whether an index counts
 * among the 32-bit or the 64-bit registers follows from the width of the type, or of the register where that may be wider.
 */
final class Operands {

    private final String file;
    private final Statement statement;
    private final RegisterNames names;
    private final KernelSymbols symbols;
    private final RegisterUse.Builder uses = new RegisterUse.Builder();

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
        if (position < 0 || position >= count()) {
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

    int source(int position, PtxType type) {
        return source(get(position), type);
    }

    /** A source as wide as its type: a register or a literal. */
    int source(Operand operand, PtxType type) {
        if (operand instanceof Operand.Register register) {
            requireWidth(register, type);
        }
        return wideSource(operand, type);
    }

    int wideSource(int position, PtxType type) {
        return wideSource(get(position), type);
    }

    /** A source that may stand in a register wider than its type, of which it takes the low bits. */
    int wideSource(Operand operand, PtxType type) {
        return switch (operand) {
            case Operand.Register register -> uses.read(index(register, type), typeOf(register));
            case Operand.Immediate immediate -> {
                long bits = Immediates.bits(this, immediate, type);
                yield type.isWide() ? names.longConstant(bits) : names.wordConstant((int) bits);
            }
            default -> throw error("cannot read " + operand);
        };
    }

    /** The source of a {@code mov} or {@code cvt}, which may also be a predefined register. */
    int sourceOrSpecial(int position, PtxType type) {
        if (!(get(position) instanceof Operand.SpecialRegister special)) {
            return wideSource(position, type);
        }
        SpecialRegister known = SpecialRegister.named(special.name());
        if (known == null) {
            throw error("reads " + special.name() + ", which is not declared and not known");
        }
        if (type.isWide() || !type.isInteger()) {
            throw error("reads " + special.name() + ", which is 32 bits wide, as ." + type);
        }
        return names.special(known);
    }

    /** The address of a variable in its own space, as a source. */
    int addressOf(Operand.Symbol symbol, PtxType type) {
        if (!type.isInteger()) {
            throw error("takes an address as ." + type);
        }
        long address = symbols.address(this, symbol.name());
        if (type.isWide()) {
            return names.longConstant(address);
        }
        if (address != (int) address) {
            throw error("takes an address of 64 bits into a register of " + type.bits());
        }
        return names.wordConstant((int) address);
    }

    /** The address in brackets at a position. */
    AddressSource address(int position, MemorySpace space) {
        if (!(get(position) instanceof Operand.Address address)) {
            throw error("needs an address in brackets, not " + get(position));
        }
        return switch (address.base()) {
            case Operand.Register register -> {
                boolean wide = typeOf(register).isWide();
                if (!wide && space != MemorySpace.SHARED) {
                    throw error("needs a 64-bit address");
                }
                PtxType type = wide ? PtxType.U64 : PtxType.U32;
                yield new AddressSource(source(register, type), wide, address.offset());
            }
            case Operand.Symbol symbol -> {
                symbols.requireIn(this, symbol.name(), space);
                boolean wide = space != MemorySpace.SHARED;
                int base = addressOf(symbol, wide ? PtxType.U64 : PtxType.U32);
                yield new AddressSource(base, wide, address.offset());
            }
            default -> throw error("cannot use " + address.base() + " as an address");
        };
    }

    int predicate(int position) {
        return predicate(get(position));
    }

    /** A predicate source; a negation around it is the caller's to see, by {@link #isNegated}. */
    int predicate(Operand operand) {
        return switch (operand) {
            case Operand.Negated negated -> predicate(negated.operand());
            case Operand.Register register -> uses.read(index(register, PtxType.PRED), PtxType.PRED);
            case Operand.Immediate(long bits, Operand.Immediate.Form form)
            when form == Operand.Immediate.Form.INTEGER -> names.predicateConstant(bits != 0);
            default -> throw error("needs a predicate, not " + operand);
        };
    }

    boolean isNegated(int position) {
        return get(position) instanceof Operand.Negated;
    }

    // Targets

    int target(int position, PtxType type) {
        return target(get(position), type);
    }

    /** A target register as wide as its type; a sink, {@code _}, is a register that nobody reads. */
    int target(Operand operand, PtxType type) {
        if (isSink(operand)) {
            return names.sink(type);
        }
        Operand.Register register = register(operand);
        requireWidth(register, type);
        return wideTarget(register, type);
    }

    int wideTarget(int position, PtxType type) {
        return wideTarget(get(position), type);
    }

    /** A target register that may be wider than its type. */
    int wideTarget(Operand operand, PtxType type) {
        if (isSink(operand)) {
            return names.sink(type);
        }
        Operand.Register register = register(operand);
        return uses.write(index(register, type), typeOf(register));
    }

    int predicateTarget(int position) {
        return target(get(position), PtxType.PRED);
    }

    /** Width in bits of the register that an operand is, or of {@code type} where it is a literal or a sink. */
    int registerBits(Operand operand, PtxType type) {
        return operand instanceof Operand.Register register ? typeOf(register).bits() : type.bits();
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

    RegisterUse uses() {
        return uses.build();
    }

    PtxSyntaxException error(String problem) {
        return new PtxSyntaxException(file, statement.line(), "'" + statement + "' " + problem);
    }

    private int index(Operand.Register register, PtxType type) {
        PtxType declared = typeOf(register);
        if (!type.agreesWith(declared) || declared.bits() < type.bits()) {
            throw mismatch(register, type);
        }
        return names.index(register.name(), declared);
    }

    private void requireWidth(Operand.Register register, PtxType type) {
        if (typeOf(register).bits() != type.bits()) {
            throw mismatch(register, type);
        }
    }

    private PtxSyntaxException mismatch(Operand.Register register, PtxType type) {
        return error("uses " + register + ", declared as ." + typeOf(register) + ", where it needs a ." + type);
    }

    private static boolean isSink(Operand operand) {
        return operand instanceof Operand.Symbol symbol && symbol.name().equals("_");
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
}
