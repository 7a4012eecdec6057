package io.gpuquant.ptx;

/** {@code set}: a comparison into a word that is all ones, or 1.0, where it holds. */
final class SetWord extends Operation {

    private final Comparison comparison;
    private final int target;
    private final int one;

    SetWord(Comparison comparison, int target, int one) {
        this.comparison = comparison;
        this.target = target;
        this.one = one;
    }

    @Override
    void execute(Warp warp, int mask) {
        int holds = comparison.holds(warp, mask);
        int[] out = warp.words[target];
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            out[lane] = (holds >>> lane & 1) != 0 ? one : 0;
        }
    }
}
