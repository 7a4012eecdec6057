package io.gpuquant.ptx;

import io.gpuquant.InternalException;

/** A kernel did what would be undefined or fatal on a GPU. The message names kernel, block, warp, lane and source line. */
public final class PtxFault extends InternalException {

    private static final long serialVersionUID = 1L;

    private final int line;

    PtxFault(String message, int line) {
        super(message);
        this.line = line;
    }

    /** The line of the PTX file. */
    public int line() {
        return line;
    }
}
