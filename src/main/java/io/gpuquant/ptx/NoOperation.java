package io.gpuquant.ptx;

/** Does nothing. */
final class NoOperation extends Operation {

    @Override
    void execute(Warp warp, int mask) {
        // Advice to the hardware has no effect that a program could see.
    }
}
