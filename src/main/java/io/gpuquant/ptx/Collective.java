package io.gpuquant.ptx;

/** An operation that the lanes of a member mask execute together. */
abstract class Collective extends Operation {

    /**
     * Where the member mask comes from.
     *
     * @param register index of the 32-bit register, or -1 when all live lanes must take part
     * @param isLiteral whether all lanes certainly name the same mask
     */
    record Members(int register, boolean isLiteral) {

        /** All lanes that have not ended. */
        static final Members ALL_LIVE = new Members(-1, true);
    }

    private final Members members;

    Collective(Members members) {
        this.members = members;
    }

    /** The lanes that must take part, as a lane sees it. */
    final int members(Warp warp, int lane) {
        return members.register < 0 ? warp.live() : warp.words[members.register][lane];
    }

    /** The lanes of {@code mask} that name the same members as the first of them. */
    final int agreeing(Warp warp, int mask) {
        if (members.isLiteral) {
            return mask;
        }
        int[] masks = warp.words[members.register];
        int first = masks[Integer.numberOfTrailingZeros(mask)];
        int agreeing = 0;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            if (masks[lane] == first) {
                agreeing |= 1 << lane;
            }
        }
        return agreeing;
    }
}
