package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Entry;
import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxFile;
import io.gpuquant.ptx.syntax.PtxSyntaxException;
import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Turns the statements of a kernel into instructions of the machine. */
final class Decoder {

    private final PtxFile file;
    private final Entry entry;
    private final MachineOptions options;
    private final RegisterNames names;
    private final SharedLayout shared;
    private final KernelSymbols symbols;
    private final List<Family> families;

    Decoder(PtxFile file, Entry entry, MachineOptions options) {
        this.file = file;
        this.entry = entry;
        this.options = options;
        names = new RegisterNames(entry.registers());
        shared = new SharedLayout(entry.variables(), options.isChecked());
        symbols = new KernelSymbols(entry, shared);
        families = List.of(
                new MoveFamily(),
                new IntegerFamily(),
                new BitFamily(),
                new FloatFamily(options),
                new HalfFamily(),
                new ComparisonFamily(),
                new ConversionFamily(options.isChecked()),
                new MemoryFamily(options.isChecked()),
                new AtomicFamily(options.isChecked()),
                new AsyncCopyFamily(),
                new WarpFamily(),
                new MatrixFamily(options),
                new BarrierFamily());
    }

    PtxKernel decode() {
        List<Instruction> code = new ArrayList<>();
        for (Statement statement : entry.statements()) {
            code.add(decode(statement));
        }
        code.add(endOfKernel());
        return new PtxKernel(file.name(), entry, code, names.layout(), shared, symbols.localBytes());
    }

    /** Running off the end of a kernel is returning from it. */
    private Instruction endOfKernel() {
        return new Instruction(
                Instruction.Kind.EXIT, null, -1, false, -1, noUses(), "ret", entry.line(), "end of " + entry.name());
    }

    private Instruction decode(Statement statement) {
        Operands operands = new Operands(file.name(), statement, names, symbols);
        return switch (statement.opcode()) {
            case "bra" -> branch(statement, operands);
            case "ret", "exit" -> instruction(Instruction.Kind.EXIT, null, statement, -1, operands);
            case "trap" -> instruction(Instruction.Kind.TRAP, null, statement, -1, operands);
            default -> {
                Operation operation = operation(statement, operands);
                yield instruction(kindOf(operation), operation, statement, -1, operands);
            }
        };
    }

    private Operation operation(Statement statement, Operands operands) {
        Modifiers modifiers = new Modifiers(file.name(), statement);
        for (Family family : families) {
            if (family.knows(statement)) {
                Operation operation = family.decode(modifiers, operands);
                modifiers.requireAllTaken();
                return operation;
            }
        }
        throw new PtxSyntaxException(
                file.name(), statement.line(), "the instruction '" + statement.mnemonic() + "' is not supported");
    }

    private Instruction branch(Statement statement, Operands operands) {
        Modifiers modifiers = new Modifiers(file.name(), statement);
        modifiers.take("uni");
        modifiers.requireAllTaken();
        operands.requireCount(1);
        Integer target = operands.get(0) instanceof Operand.Symbol symbol
                ? entry.labels().get(symbol.name())
                : null;
        if (target == null) {
            throw operands.error("names a label that is not there");
        }
        return instruction(Instruction.Kind.BRANCH, null, statement, target, operands);
    }

    private Instruction instruction(
            Instruction.Kind kind, @Nullable Operation operation, Statement statement, int target, Operands operands) {
        int guard = statement.guard() == null ? -1 : guard(statement, statement.guard());
        return new Instruction(
                kind,
                operation,
                guard,
                statement.guardNegated(),
                target,
                operands.uses(),
                statement.mnemonic(),
                statement.line(),
                statement.toString());
    }

    private int guard(Statement statement, String name) {
        if (names.typeOf(name) != PtxType.PRED) {
            throw new PtxSyntaxException(file.name(), statement.line(), "'" + name + "' is not a predicate");
        }
        return names.index(name, PtxType.PRED);
    }

    private static Instruction.Kind kindOf(Operation operation) {
        if (operation instanceof Collective) {
            return Instruction.Kind.COLLECTIVE;
        }
        return operation instanceof BarrierOperation ? Instruction.Kind.BARRIER : Instruction.Kind.LANES;
    }

    private static Instruction.RegisterUse noUses() {
        int[] none = {};
        return new Instruction.RegisterUse(none, none, none, none, none, none);
    }
}
