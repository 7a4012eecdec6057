package io.gpuquant.ptx;

/**
 * The parts of a diverged warp: lanes that are at the same instruction. The runnable part with the smallest instruction
 * index goes first, and parts that meet are joined; code that was compiled from structured source reconverges that way
 * without a control-flow graph. A part that reaches a synchronizing instruction before the lanes it needs is parked there.
 */
final class Fragments {

    static final int NONE = -1;

    private final int[] at = new int[Operation.LANES + 1];
    private final int[] mask = new int[Operation.LANES + 1];
    private final boolean[] parked = new boolean[Operation.LANES + 1];
    private int count;
    private boolean split;

    /** One part at the first instruction, or as many as lanes where lanes are to run one by one. */
    void reset(int lanes, boolean splitWarps) {
        count = 0;
        split = splitWarps;
        resume(lanes, 0);
    }

    /** Adds lanes that go on at an instruction together, or one by one where warps are split. */
    void resume(int lanes, int instruction) {
        if (!split) {
            add(lanes, instruction);
            return;
        }
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            add(Integer.lowestOneBit(rest), instruction);
        }
    }

    /** Adds one part, unless it is empty. */
    void add(int lanes, int instruction) {
        if (lanes != 0) {
            at[count] = instruction;
            mask[count] = lanes;
            parked[count] = false;
            count++;
        }
    }

    /** The part to run next, or {@link #NONE} when all are parked. */
    int next() {
        if (count == 1 && !parked[0]) {
            return 0;
        }
        int best = NONE;
        for (int i = 0; i < count; i++) {
            if (!parked[i]
                    && (best == NONE
                            || (split ? Integer.compareUnsigned(mask[i], mask[best]) > 0 : at[i] < at[best]))) {
                best = i;
            }
        }
        return best == NONE || split ? best : joinAt(best);
    }

    /** Joins all runnable parts at the instruction of one; returns the index of the whole. */
    private int joinAt(int part) {
        int instruction = at[part];
        int lanes = 0;
        for (int i = count - 1; i >= 0; i--) {
            if (at[i] == instruction && !parked[i]) {
                lanes |= mask[i];
                remove(i);
            }
        }
        add(lanes, instruction);
        return count - 1;
    }

    /** The smallest instruction index of the runnable parts: where lanes that are not among them must look for company. */
    int horizon() {
        int horizon = Integer.MAX_VALUE;
        if (!split) {
            for (int i = 0; i < count; i++) {
                if (!parked[i]) {
                    horizon = Math.min(horizon, at[i]);
                }
            }
        }
        return horizon;
    }

    int at(int part) {
        return at[part];
    }

    int mask(int part) {
        return mask[part];
    }

    int count() {
        return count;
    }

    boolean isSplit() {
        return split;
    }

    void remove(int part) {
        count--;
        at[part] = at[count];
        mask[part] = mask[count];
        parked[part] = parked[count];
    }

    /** Parks lanes at a synchronizing instruction, together with those that wait there already. */
    void park(int lanes, int instruction) {
        int waiting = parkedAt(instruction);
        unpark(waiting, instruction);
        add(lanes | waiting, instruction);
        parked[count - 1] = true;
    }

    /** The lanes that are parked at an instruction. */
    int parkedAt(int instruction) {
        for (int i = 0; i < count; i++) {
            if (parked[i] && at[i] == instruction) {
                return mask[i];
            }
        }
        return 0;
    }

    /** Takes lanes out of the part that is parked at an instruction. */
    void unpark(int lanes, int instruction) {
        for (int i = 0; i < count; i++) {
            if (parked[i] && at[i] == instruction) {
                mask[i] &= ~lanes;
                if (mask[i] == 0) {
                    remove(i);
                }
                return;
            }
        }
    }
}
