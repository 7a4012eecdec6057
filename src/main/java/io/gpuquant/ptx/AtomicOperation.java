package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import java.lang.invoke.VarHandle;
import java.util.function.LongBinaryOperator;
import org.jspecify.annotations.Nullable;

/** An atomic operation, lane by lane in lane order. Blocks may run at the same time, so global memory is really atomic. */
final class AtomicOperation extends Operation {

    private static final VarHandle INT = java.lang.foreign.ValueLayout.JAVA_INT.varHandle();
    private static final VarHandle LONG = java.lang.foreign.ValueLayout.JAVA_LONG.varHandle();

    /**
     * The registers of an atomic operation.
     *
     * @param target of the old value, or -1
     * @param value the operand; for a compare-and-swap what to compare with
     * @param replacement what a compare-and-swap writes, or -1
     */
    record Registers(int target, int value, int replacement) {}

    private final MemorySpace space;
    private final AddressSource source;
    private final PtxType type;
    private final @Nullable LongBinaryOperator function;
    private final Registers registers;
    private final boolean checked;

    /**
     * @param function null for a compare-and-swap
     */
    AtomicOperation(
            MemorySpace space,
            AddressSource source,
            PtxType type,
            @Nullable LongBinaryOperator function,
            Registers registers,
            boolean checked) {
        this.space = space;
        this.source = source;
        this.type = type;
        this.function = function;
        this.registers = registers;
        this.checked = checked;
    }

    @Override
    void execute(Warp warp, int mask) {
        long[] addresses = warp.addresses;
        source.gather(warp, mask, addresses);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            if ((addresses[lane] & (type.bytes() - 1)) != 0) {
                throw new LaneFault(lane, "atomic operation on an address that is not aligned");
            }
        }
        space.check(warp, mask, addresses, type.bytes(), AccessKind.ATOMIC);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            long old = update(warp, lane, addresses[lane]);
            if (registers.target() >= 0) {
                if (type.isWide()) {
                    warp.longs[registers.target()][lane] = old;
                } else {
                    warp.words[registers.target()][lane] = (int) old;
                }
            }
        }
    }

    private long update(Warp warp, int lane, long address) {
        boolean global = space == MemorySpace.GLOBAL
                || space == MemorySpace.GENERIC && MemorySpace.spaceOf(address) == MemorySpace.GLOBAL;
        while (true) {
            long old = space.read(warp, lane, address, type.bytes());
            long next = next(warp, lane, old);
            if (!global || checked) {
                space.write(warp, lane, address, type.bytes(), next);
                return old;
            }
            boolean done = type.isWide()
                    ? LONG.compareAndSet(GlobalMemory.EVERYTHING, address, old, next)
                    : INT.compareAndSet(GlobalMemory.EVERYTHING, address, (int) old, (int) next);
            if (done) {
                return old;
            }
        }
    }

    private long next(Warp warp, int lane, long old) {
        long value = read(warp, registers.value(), lane);
        if (function != null) {
            return function.applyAsLong(old, value);
        }
        return old == value ? read(warp, registers.replacement(), lane) : old;
    }

    private long read(Warp warp, int register, int lane) {
        return type.isWide() ? warp.longs[register][lane] : warp.words[register][lane] & 0xffff_ffffL;
    }
}
