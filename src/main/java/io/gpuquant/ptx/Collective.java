package io.gpuquant.ptx;

/** An operation that the lanes of a member mask execute together. */
abstract class Collective extends Operation {

    private final int members;

    /**
     * @param members index of the 32-bit register with the member mask, or -1 when all live lanes must take part
     */
    Collective(int members) {
        this.members = members;
    }

    /** The lanes that must take part, as the lanes of {@code mask} see it. */
    final int members(Warp warp, int mask) {
        if (members < 0) {
            return warp.live();
        }
        int[] masks = warp.words[members];
        int first = masks[Integer.numberOfTrailingZeros(mask)];
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            if (masks[lane] != first) {
                throw new LaneFault(
                        lane,
                        "lanes name different member masks: 0x" + Integer.toHexString(masks[lane]) + " and 0x"
                                + Integer.toHexString(first));
            }
        }
        return first;
    }
}
