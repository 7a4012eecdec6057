package io.gpuquant.ptx;

/** Operations one after the other. */
final class Sequence extends Operation {

    private final Operation[] operations;

    Sequence(Operation... operations) {
        this.operations = operations;
    }

    @Override
    void execute(Warp warp, int mask) {
        for (Operation operation : operations) {
            operation.execute(warp, mask);
        }
    }
}
