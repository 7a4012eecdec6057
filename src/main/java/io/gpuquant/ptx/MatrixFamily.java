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
        modifiers.takeType();
        int[] targets = MemoryFamily.registers(operands, operands.elements(0), PtxType.B32, true);
        if (targets.length != count || !(operands.get(1) instanceof Operand.Address address)) {
            throw operands.error("needs " + count + " registers and an address in brackets");
        }
        return new MatrixLoad(
                targets,
                new AddressSource(operands.word(address.base(), PtxType.U32), false, address.offset()),
                transposed);
    }

    private Operation multiply(Modifiers modifiers, Operands operands) {
        String shape = modifiers.requireOneOf("m16n8k4", "m16n8k8", "m16n8k16", "m16n8k32");
        modifiers.requireOneOf("row");
        modifiers.requireOneOf("col");
        List<PtxType> types = modifiers.takeTypes();
        if (types.size() != 4) {
            throw modifiers.error("needs four types");
        }
        int k = Integer.parseInt(shape.substring(shape.indexOf('k') + 1));
        operands.requireCount(4);
        int[] d = MemoryFamily.registers(operands, operands.elements(0), PtxType.B32, true);
        int[] a = MemoryFamily.registers(operands, operands.elements(1), PtxType.B32, false);
        int[] b = MemoryFamily.registers(operands, operands.elements(2), PtxType.B32, false);
        int[] c = MemoryFamily.registers(operands, operands.elements(3), PtxType.B32, false);
        MatrixShape matrices = MatrixShape.of(types.get(1), k);
        boolean floats = matrices != null
                && types.get(0) == PtxType.F32
                && types.get(3) == PtxType.F32
                && types.get(2) == types.get(1)
                && matrices.type().isFloat();
        boolean integers = matrices != null
                && types.get(0) == PtxType.S32
                && types.get(3) == PtxType.S32
                && matrices.type().isInteger()
                && types.get(2) == types.get(1);
        if (matrices == null || !floats && !integers) {
            throw modifiers.error("is not supported");
        }
        if (d.length != 4 || c.length != 4 || a.length != matrices.aRegisters() || b.length != matrices.bRegisters()) {
            throw operands.error(
                    "needs 4, " + matrices.aRegisters() + ", " + matrices.bRegisters() + " and 4 registers");
        }
        TensorCore core = floats
                ? TensorCore.floats(matrices.type(), options.tensorCores())
                : TensorCore.integers(matrices.type());
        return new MatrixMultiply(matrices, core, d, a, b, c);
    }
}
