package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Arithmetic of f16 and bf16, single or packed in pairs. */
final class HalfFamily implements Family {

    private static final Set<String> OPCODES = Set.of("add", "sub", "mul", "fma", "min", "max", "abs", "neg");
    private static final int SHORT = 0xffff;

    private static final Map<Object, Object> PACKED = new ConcurrentHashMap<>();

    @Override
    public boolean knows(Statement statement) {
        PtxType type = Family.typeOf(statement);
        return OPCODES.contains(statement.opcode())
                && type != null
                && switch (type) {
                    case F16, BF16, F16X2, BF16X2 -> true;
                    default -> false;
                };
    }

    @Override
    public Operation decode(Modifiers modifiers, Operands operands) {
        PtxType type = modifiers.takeType();
        modifiers.take("rn");
        boolean packed = type == PtxType.F16X2 || type == PtxType.BF16X2;
        HalfArithmetic format = type == PtxType.F16 || type == PtxType.F16X2 ? HalfArithmetic.F16 : HalfArithmetic.BF16;
        return switch (modifiers.opcode()) {
            case "fma" -> Loops.ternary32(operands, type, packed ? packed3(fma(format)) : fma(format));
            case "abs" -> Loops.unary32(operands, type, packed ? packed1(absolute(format)) : absolute(format));
            case "neg" -> Loops.unary32(operands, type, packed ? a -> a ^ 0x80008000 : a -> a ^ 0x8000);
            default -> {
                LaneFunctions.Int2 function = binary(modifiers.opcode(), format);
                yield Loops.binary32(operands, type, packed ? packed2(function) : function);
            }
        };
    }

    private static LaneFunctions.Int3 fma(HalfArithmetic format) {
        return format == HalfArithmetic.F16
                ? (a, b, c) -> HalfArithmetic.F16.fma(a, b, c)
                : (a, b, c) -> HalfArithmetic.BF16.fma(a, b, c);
    }

    private static LaneFunctions.Int1 absolute(HalfArithmetic format) {
        return format == HalfArithmetic.F16
                ? a -> HalfArithmetic.F16.absolute(a)
                : a -> HalfArithmetic.BF16.absolute(a);
    }

    private static LaneFunctions.Int2 binary(String opcode, HalfArithmetic format) {
        boolean f16 = format == HalfArithmetic.F16;
        return switch (opcode) {
            case "add" -> f16 ? (a, b) -> HalfArithmetic.F16.add(a, b) : (a, b) -> HalfArithmetic.BF16.add(a, b);
            case "sub" ->
                f16 ? (a, b) -> HalfArithmetic.F16.subtract(a, b) : (a, b) -> HalfArithmetic.BF16.subtract(a, b);
            case "mul" ->
                f16 ? (a, b) -> HalfArithmetic.F16.multiply(a, b) : (a, b) -> HalfArithmetic.BF16.multiply(a, b);
            case "min" ->
                f16 ? (a, b) -> HalfArithmetic.F16.minimum(a, b) : (a, b) -> HalfArithmetic.BF16.minimum(a, b);
            default -> f16 ? (a, b) -> HalfArithmetic.F16.maximum(a, b) : (a, b) -> HalfArithmetic.BF16.maximum(a, b);
        };
    }

    // The functions below work on each half of a word; one wrapper per function, so that its loops are shared.

    private static LaneFunctions.Int1 packed1(LaneFunctions.Int1 f) {
        return (LaneFunctions.Int1) PACKED.computeIfAbsent(f, key ->
                (LaneFunctions.Int1) a -> join(f.apply(a & SHORT), f.apply(a >>> 16)));
    }

    private static LaneFunctions.Int2 packed2(LaneFunctions.Int2 f) {
        return (LaneFunctions.Int2) PACKED.computeIfAbsent(f, key ->
                (LaneFunctions.Int2) (a, b) -> join(f.apply(a & SHORT, b & SHORT), f.apply(a >>> 16, b >>> 16)));
    }

    private static LaneFunctions.Int3 packed3(LaneFunctions.Int3 f) {
        return (LaneFunctions.Int3) PACKED.computeIfAbsent(f, key -> (LaneFunctions.Int3)
                (a, b, c) -> join(f.apply(a & SHORT, b & SHORT, c & SHORT), f.apply(a >>> 16, b >>> 16, c >>> 16)));
    }

    private static int join(int low, int high) {
        return high << 16 | low & SHORT;
    }
}
