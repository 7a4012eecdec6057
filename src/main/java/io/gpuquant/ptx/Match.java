package io.gpuquant.ptx;

/** {@code match.sync}: which lanes hold the same value. */
final class Match extends Collective {

    private final int target;
    private final int everyone;
    private final int source;

    /**
     * @param everyone index of the predicate of {@code match.all}, or -1 for {@code match.any}
     */
    Match(int members, int target, int everyone, int source) {
        super(members);
        this.target = target;
        this.everyone = everyone;
        this.source = source;
    }

    @Override
    void execute(Warp warp, int mask) {
        int[] values = warp.words[source];
        int[] found = new int[LANES];
        boolean all = true;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            for (int others = mask; others != 0; others &= others - 1) {
                int other = Integer.numberOfTrailingZeros(others);
                if (values[other] == values[lane]) {
                    found[lane] |= 1 << other;
                }
            }
            all &= found[lane] == mask;
        }
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            warp.words[target][lane] = everyone < 0 ? found[lane] : all ? mask : 0;
        }
        if (everyone >= 0) {
            warp.predicates[everyone] = warp.predicates[everyone] & ~mask | (all ? mask : 0);
        }
    }
}
