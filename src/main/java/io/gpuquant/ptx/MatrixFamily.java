package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.List;

/** {@code ldmatrix} and {@code mma.sync}. */
final class MatrixFamily implements Family {

    private final MachineOptions options;

    MatrixFamily(MachineOptions options) {
        this.options = options;
    }

    @Override
    public boolean knows(Statement statement) {
        return statement.opcode().equals("ldmatrix") || statement.opcode().equals("mma");
    }

    @Override
    public Operation decode(Modifiers modifiers, Operands operands) {
        if (!modifiers.take("sync") || !modifiers.take("aligned")) {
            throw modifiers.error("is supported with .sync.aligned only");
        }
        return modifiers.opcode().equals("mma") ? multiply(modifiers, operands) : load(modifiers, operands);
    }

    private static Operation load(Modifiers modifiers, Operands operands) {
        modifiers.requireOneOf("m8n8");
        int count = modifiers.requireOneOf("x1", "x2", "x4").charAt(1) - '0';
        boolean transposed = modifiers.take("trans");
        modifiers.requireOneOf("shared", "shared::cta");
        modifiers.takeType(PtxType.B16);
        operands.requireCount(2);
        int[] targets = targets(operands, 0, PtxType.B32, count);
        return new MatrixLoad(targets, operands.address(1, MemorySpace.SHARED), transposed);
    }

    private Operation multiply(Modifiers modifiers, Operands operands) {
        PtxType c = modifiers.takeType(PtxType.F32, PtxType.S32);
        PtxType[] multiplied = c == PtxType.F32
                ? new PtxType[] {PtxType.F16, PtxType.BF16, PtxType.TF32}
                : new PtxType[] {PtxType.S8, PtxType.U8};
        PtxType b = modifiers.takeType(multiplied);
        PtxType a = modifiers.takeType(b);
        PtxType d = modifiers.takeType(c);
        String shape = modifiers.requireOneOf("m16n8k4", "m16n8k8", "m16n8k16", "m16n8k32");
        MatrixShape matrices = MatrixShape.of(a, Integer.parseInt(shape.substring(shape.indexOf('k') + 1)));
        if (matrices == null || !modifiers.take("row") || !modifiers.take("col")) {
            throw modifiers.error("is not supported");
        }
        operands.requireCount(4);
        return new MatrixMultiply(
                matrices,
                c == PtxType.F32 ? TensorCore.floats(a, options.tensorCores()) : TensorCore.integers(a),
                targets(operands, 0, d, MatrixShape.ACCUMULATORS),
                sources(operands, 1, PtxType.B32, matrices.aRegisters()),
                sources(operands, 2, PtxType.B32, matrices.bRegisters()),
                sources(operands, 3, c, MatrixShape.ACCUMULATORS));
    }

    private static int[] targets(Operands operands, int position, PtxType type, int count) {
        return elements(operands, position, count).stream()
                .mapToInt(element -> operands.target(element, type))
                .toArray();
    }

    private static int[] sources(Operands operands, int position, PtxType type, int count) {
        return elements(operands, position, count).stream()
                .mapToInt(element -> operands.source(element, type))
                .toArray();
    }

    private static List<Operand> elements(Operands operands, int position, int count) {
        if (!(operands.get(position) instanceof Operand.Vector vector)
                || vector.elements().size() != count) {
            throw operands.error("needs " + count + " registers in braces, not " + operands.get(position));
        }
        return vector.elements();
    }
}
