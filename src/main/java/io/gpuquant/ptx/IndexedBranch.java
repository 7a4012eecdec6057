package io.gpuquant.ptx;

/** {@code brx.idx}: each lane goes to the label that its index chooses. The interpreter does the going. */
final class IndexedBranch extends Operation {

    private final int index;
    private final int[] targets;

    /**
     * @param index of the 32-bit register with the index into {@code targets}
     * @param targets indices of instructions
     */
    IndexedBranch(int index, int[] targets) {
        this.index = index;
        this.targets = targets;
    }

    @Override
    void execute(Warp warp, int mask) {
        for (int rest = mask; rest != 0; ) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int chosen = warp.words[index][lane];
            if (Integer.compareUnsigned(chosen, targets.length) >= 0) {
                throw new LaneFault(
                        lane,
                        "branches to number " + Integer.toUnsignedString(chosen) + " of " + targets.length + " labels");
            }
            int together = same(warp.words[index], rest, chosen);
            warp.fragments.add(together, targets[chosen]);
            rest &= ~together;
        }
    }

    private static int same(int[] values, int lanes, int value) {
        int found = 0;
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            if (values[lane] == value) {
                found |= 1 << lane;
            }
        }
        return found;
    }
}
