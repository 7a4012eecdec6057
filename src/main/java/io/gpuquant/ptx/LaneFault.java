package io.gpuquant.ptx;

/** What a lane did wrong; the interpreter adds kernel, block, warp and source line. */
final class LaneFault extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /** For faults of the whole warp. */
    static final int NO_LANE = -1;

    private final int lane;
    private final String problem;

    LaneFault(int lane, String problem) {
        super(problem, null, false, false);
        this.lane = lane;
        this.problem = problem;
    }

    String problem() {
        return problem;
    }

    int lane() {
        return lane;
    }
}
