package io.gpuquant.ptx;

/** {@code activemask}: the lanes that execute this very instruction together. */
final class ActiveMask extends Operation {

    private final int target;

    ActiveMask(int target) {
        this.target = target;
    }

    @Override
    void execute(Warp warp, int mask) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            warp.words[target][Integer.numberOfTrailingZeros(rest)] = mask;
        }
    }
}
