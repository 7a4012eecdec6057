package io.gpuquant.ptx;

import java.lang.invoke.MethodHandles;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A template: {@link LoopSpecializer} makes a hidden class of it for each stretch, in which the instructions are
 * constants. HotSpot then inlines the operations, whose registers are constants as well, and drops the empty places.
 */
final class CompiledStretch extends Stretch {

    private static final List<Instruction> CODE = instructions();

    private static final @Nullable Instruction I0 = CODE.size() > 0 ? CODE.get(0) : null;
    private static final @Nullable Instruction I1 = CODE.size() > 1 ? CODE.get(1) : null;
    private static final @Nullable Instruction I2 = CODE.size() > 2 ? CODE.get(2) : null;
    private static final @Nullable Instruction I3 = CODE.size() > 3 ? CODE.get(3) : null;
    private static final @Nullable Instruction I4 = CODE.size() > 4 ? CODE.get(4) : null;
    private static final @Nullable Instruction I5 = CODE.size() > 5 ? CODE.get(5) : null;
    private static final @Nullable Instruction I6 = CODE.size() > 6 ? CODE.get(6) : null;
    private static final @Nullable Instruction I7 = CODE.size() > 7 ? CODE.get(7) : null;
    private static final @Nullable Instruction I8 = CODE.size() > 8 ? CODE.get(8) : null;
    private static final @Nullable Instruction I9 = CODE.size() > 9 ? CODE.get(9) : null;
    private static final @Nullable Instruction I10 = CODE.size() > 10 ? CODE.get(10) : null;
    private static final @Nullable Instruction I11 = CODE.size() > 11 ? CODE.get(11) : null;
    private static final @Nullable Instruction I12 = CODE.size() > 12 ? CODE.get(12) : null;
    private static final @Nullable Instruction I13 = CODE.size() > 13 ? CODE.get(13) : null;
    private static final @Nullable Instruction I14 = CODE.size() > 14 ? CODE.get(14) : null;
    private static final @Nullable Instruction I15 = CODE.size() > 15 ? CODE.get(15) : null;

    CompiledStretch(int[] length) {
        super(length[0]);
    }

    @SuppressWarnings("unchecked")
    private static List<Instruction> instructions() {
        return LoopSpecializer.operationOf(MethodHandles.lookup(), List.class);
    }

    @Override
    void execute(Interpreter interpreter, Warp warp) {
        if (I0 != null) {
            step(interpreter, warp, I0, 0);
        }
        if (I1 != null) {
            step(interpreter, warp, I1, 1);
        }
        if (I2 != null) {
            step(interpreter, warp, I2, 2);
        }
        if (I3 != null) {
            step(interpreter, warp, I3, 3);
        }
        if (I4 != null) {
            step(interpreter, warp, I4, 4);
        }
        if (I5 != null) {
            step(interpreter, warp, I5, 5);
        }
        if (I6 != null) {
            step(interpreter, warp, I6, 6);
        }
        if (I7 != null) {
            step(interpreter, warp, I7, 7);
        }
        if (I8 != null) {
            step(interpreter, warp, I8, 8);
        }
        if (I9 != null) {
            step(interpreter, warp, I9, 9);
        }
        if (I10 != null) {
            step(interpreter, warp, I10, 10);
        }
        if (I11 != null) {
            step(interpreter, warp, I11, 11);
        }
        if (I12 != null) {
            step(interpreter, warp, I12, 12);
        }
        if (I13 != null) {
            step(interpreter, warp, I13, 13);
        }
        if (I14 != null) {
            step(interpreter, warp, I14, 14);
        }
        if (I15 != null) {
            step(interpreter, warp, I15, 15);
        }
    }
}
