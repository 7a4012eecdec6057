package io.gpuquant.ptx;

/** {@code match.sync}: which lanes hold the same value. */
final class Match extends Collective {

    private final boolean all;
    private final int target;
    private final int everyone;
    private final int source;

    /**
     * @param all for {@code match.all}: all lanes or none
     * @param everyone index of the predicate that {@code match.all} may set, or -1
     */
    Match(boolean all, Members members, int target, int everyone, int source) {
        super(members);
        this.all = all;
        this.target = target;
        this.everyone = everyone;
        this.source = source;
    }

    @Override
    void execute(Warp warp, int mask) {
        int[] values = warp.words[source];
        int[] found = new int[LANES];
        boolean same = true;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            for (int others = mask; others != 0; others &= others - 1) {
                int other = Integer.numberOfTrailingZeros(others);
                if (values[other] == values[lane]) {
                    found[lane] |= 1 << other;
                }
            }
            same &= found[lane] == mask;
        }
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            warp.words[target][lane] = !all || same ? found[lane] : 0;
        }
        if (everyone >= 0) {
            warp.predicates[everyone] = warp.predicates[everyone] & ~mask | (same ? mask : 0);
        }
    }
}
