package io.gpuquant.ptx;

/** {@code redux.sync}: an integer reduction over the member lanes. */
final class WarpReduction extends Collective {

    private final LaneFunctions.Int2 function;
    private final int target;
    private final int source;

    WarpReduction(LaneFunctions.Int2 function, Members members, int target, int source) {
        super(members);
        this.function = function;
        this.target = target;
        this.source = source;
    }

    @Override
    void execute(Warp warp, int mask) {
        int[] values = warp.words[source];
        int first = Integer.numberOfTrailingZeros(mask);
        int result = values[first];
        for (int rest = mask & mask - 1; rest != 0; rest &= rest - 1) {
            result = function.apply(result, values[Integer.numberOfTrailingZeros(rest)]);
        }
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            warp.words[target][Integer.numberOfTrailingZeros(rest)] = result;
        }
    }
}
