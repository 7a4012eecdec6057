package io.gpuquant.ptx;

/** Two operations, one after the other. */
final class Sequence extends Operation {

    private final Operation first;
    private final Operation second;

    Sequence(Operation first, Operation second) {
        this.first = first;
        this.second = second;
    }

    @Override
    void execute(Warp warp, int mask) {
        first.execute(warp, mask);
        second.execute(warp, mask);
    }
}
