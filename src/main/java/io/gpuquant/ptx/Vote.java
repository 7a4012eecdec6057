package io.gpuquant.ptx;

/** {@code vote.sync}: what a predicate is in all lanes. */
final class Vote extends Collective {

    enum Kind {
        ALL,
        ANY,
        UNI,
        BALLOT
    }

    private final Kind kind;
    private final int target;
    private final int source;
    private final boolean negated;

    /**
     * @param target index of a 32-bit register for a ballot, of a predicate otherwise
     */
    Vote(Kind kind, Members members, int target, int source, boolean negated) {
        super(members);
        this.kind = kind;
        this.target = target;
        this.source = source;
        this.negated = negated;
    }

    @Override
    void execute(Warp warp, int mask) {
        int votes = (negated ? ~warp.predicates[source] : warp.predicates[source]) & mask;
        boolean result = switch (kind) {
            case ALL -> votes == mask;
            case ANY -> votes != 0;
            case UNI -> votes == mask || votes == 0;
            case BALLOT -> false;
        };
        if (kind == Kind.BALLOT) {
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                warp.words[target][Integer.numberOfTrailingZeros(rest)] = votes;
            }
        } else {
            warp.predicates[target] = warp.predicates[target] & ~mask | (result ? mask : 0);
        }
    }
}
