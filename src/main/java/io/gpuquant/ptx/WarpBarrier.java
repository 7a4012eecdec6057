package io.gpuquant.ptx;

/** {@code bar.warp.sync}: orders what the lanes did before it, before what they do after it. */
final class WarpBarrier extends Collective {

    WarpBarrier(Members members) {
        super(members);
    }

    @Override
    void execute(Warp warp, int mask) {
        // A barrier of some lanes orders those only; counting it for all would hide races of the others.
        if (mask == warp.live()) {
            warp.passWarpBarrier();
        }
    }
}
