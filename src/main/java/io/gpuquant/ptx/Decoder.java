package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Entry;
import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxFile;
import io.gpuquant.ptx.syntax.PtxSyntaxException;
import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Turns the statements of a kernel into instructions of the machine. */
final class Decoder {

    private final PtxFile file;
    private final Entry entry;
    private final RegisterNames names;
    private final SharedLayout shared;
    private final KernelSymbols symbols;
    private final List<Family> families;
    private final MachineOptions options;

    /**
     * @param globals the module's variables in global memory
     */
    Decoder(PtxFile file, Entry entry, MachineOptions options, Map<String, Allocation> globals) {
        this.file = file;
        this.entry = entry;
        this.options = options.decisiveForDecoding();
        names = new RegisterNames(entry.registers());
        shared = new SharedLayout(entry.variables(), options.isChecked());
        symbols = new KernelSymbols(entry, shared, globals);
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

    /**
     * Decodes the kernel.
     *
     * @param home the only machine that it may run on; null for all that decode alike
     */
    PtxKernel decode(@Nullable VirtualGpu home) {
        List<Instruction> code = new ArrayList<>();
        for (Statement statement : entry.statements()) {
            code.add(decode(statement));
        }
        code.add(Instruction.endOf(entry.name(), entry.line()));
        return new PtxKernel(options, home, file.name(), entry, code, names.layout(), shared, symbols.localBytes());
    }

    private Instruction decode(Statement statement) {
        Operands operands = new Operands(file.name(), statement, names, symbols);
        return switch (statement.opcode()) {
            case "bra" -> branch(statement, operands);
            case "brx" -> indexedBranch(statement, operands);
            case "ret", "exit" -> end(Instruction.Kind.EXIT, statement, operands);
            case "trap" -> end(Instruction.Kind.TRAP, statement, operands);
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
        int target = labelled(operands, operands.get(0) instanceof Operand.Symbol symbol ? symbol.name() : "");
        return instruction(Instruction.Kind.BRANCH, null, statement, target, operands);
    }

    private Instruction indexedBranch(Statement statement, Operands operands) {
        Modifiers modifiers = new Modifiers(file.name(), statement);
        modifiers.requireOneOf("idx");
        modifiers.take("uni");
        modifiers.requireAllTaken();
        operands.requireCount(2);
        List<String> labels = operands.get(1) instanceof Operand.Symbol symbol
                ? entry.branchTables().get(symbol.name())
                : null;
        if (labels == null) {
            throw operands.error("names a list of branch targets that is not there");
        }
        int[] targets =
                labels.stream().mapToInt(label -> labelled(operands, label)).toArray();
        IndexedBranch operation = new IndexedBranch(operands.source(0, PtxType.U32), targets);
        return instruction(Instruction.Kind.INDEXED_BRANCH, operation, statement, -1, operands);
    }

    private int labelled(Operands operands, String label) {
        Integer target = entry.labels().get(label);
        if (target == null) {
            throw operands.error("names a label that is not there");
        }
        return target;
    }

    private Instruction end(Instruction.Kind kind, Statement statement, Operands operands) {
        Modifiers modifiers = new Modifiers(file.name(), statement);
        if (statement.opcode().equals("ret")) {
            modifiers.take("uni");
        }
        modifiers.requireAllTaken();
        operands.requireCount(0);
        return instruction(kind, null, statement, -1, operands);
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
            throw new PtxSyntaxException(
                    file.name(), statement.line(), "'" + statement + "' is guarded by '" + name + "', not a predicate");
        }
        return names.index(name, PtxType.PRED);
    }

    private static Instruction.Kind kindOf(Operation operation) {
        if (operation instanceof Collective) {
            return Instruction.Kind.COLLECTIVE;
        }
        return operation instanceof BarrierOperation ? Instruction.Kind.BARRIER : Instruction.Kind.LANES;
    }
}
