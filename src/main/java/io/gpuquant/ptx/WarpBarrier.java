package io.gpuquant.ptx;

/** {@code bar.warp.sync}: orders what the lanes did before it, before what they do after it. */
final class WarpBarrier extends Collective {

    WarpBarrier(Members members) {
        super(members);
    }

    @Override
    void execute(Warp warp, int mask) {
        Ordering ordering = warp.ordering();
        if (ordering != null) {
            ordering.passWarpBarrier(mask, warp.live());
        }
    }
}
