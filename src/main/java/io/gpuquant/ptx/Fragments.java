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

    /** Adds one part. */
    void add(int lanes, int instruction) {
        at[count] = instruction;
        mask[count] = lanes;
        parked[count] = false;
        count++;
    }

    /** The part to run next, or {@link #NONE} when all are parked. */
    int next() {
        int best = NONE;
        for (int i = 0; i < count; i++) {
            if (!parked[i]
                    && (best == NONE
                            || (split ? Integer.compareUnsigned(mask[i], mask[best]) > 0 : at[i] < at[best]))) {
                best = i;
            }
        }
        if (best != NONE && !split) {
            best = joinAt(best);
        }
        return best;
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

    /** The smallest instruction index of the other runnable parts: where {@code part} must look for company. */
    int horizon(int part) {
        int horizon = Integer.MAX_VALUE;
        if (!split) {
            for (int i = 0; i < count; i++) {
                if (i != part && !parked[i]) {
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

    void remove(int part) {
        count--;
        at[part] = at[count];
        mask[part] = mask[count];
        parked[part] = parked[count];
    }

    /** Parks lanes at a synchronizing instruction, together with those that wait there already. */
    void park(int lanes, int instruction) {
        int all = lanes | takeParked(instruction);
        add(all, instruction);
        parked[count - 1] = true;
    }

    /** Removes the part that is parked at an instruction; returns its lanes, zero when there is none. */
    int takeParked(int instruction) {
        for (int i = 0; i < count; i++) {
            if (parked[i] && at[i] == instruction) {
                int lanes = mask[i];
                remove(i);
                return lanes;
            }
        }
        return 0;
    }
}
