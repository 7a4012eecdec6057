package io.gpuquant.ptx;

/** The result of {@code bar.red}: a count or a vote over a predicate of all threads that arrive. */
final class BarrierReduction {

    /** What is computed. */
    enum Kind {
        POPC,
        AND,
        OR
    }

    private final Kind kind;
    private final int target;
    private final int source;
    private final boolean negated;

    /**
     * @param target index of the 32-bit register for a count, of the predicate for a vote
     * @param source index of the predicate that is reduced
     */
    BarrierReduction(Kind kind, int target, int source, boolean negated) {
        this.kind = kind;
        this.target = target;
        this.source = source;
        this.negated = negated;
    }

    /** How many of a warp's live lanes have the predicate. */
    int count(Warp warp) {
        int predicate = negated ? ~warp.predicates[source] : warp.predicates[source];
        return Integer.bitCount(predicate & warp.live());
    }

    /** Gives a warp the result, once {@code holding} of {@code arrived} threads are known to have the predicate. */
    void deliver(Warp warp, int holding, int arrived) {
        int lanes = warp.live();
        switch (kind) {
            case POPC -> {
                for (int rest = lanes; rest != 0; rest &= rest - 1) {
                    warp.words[target][Integer.numberOfTrailingZeros(rest)] = holding;
                }
            }
            case AND -> vote(warp, lanes, holding == arrived);
            case OR -> vote(warp, lanes, holding > 0);
        }
    }

    private void vote(Warp warp, int lanes, boolean holds) {
        warp.predicates[target] = warp.predicates[target] & ~lanes | (holds ? lanes : 0);
    }
}
