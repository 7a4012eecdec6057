package io.gpuquant.ptx;

/** {@code setp}: a comparison, combined with another predicate if asked, into a predicate and perhaps its complement. */
final class SetPredicate extends Operation {

    enum Combine {
        NONE,
        AND,
        OR,
        XOR
    }

    private final Comparison comparison;
    private final int target;
    private final int complement;
    private final Combine combine;
    private final int combined;
    private final boolean negated;

    /**
     * @param complement index of the second target, which gets the combination with the opposite outcome, or -1
     * @param combined index of the predicate to combine with, or -1
     */
    SetPredicate(Comparison comparison, int target, int complement, Combine combine, int combined, boolean negated) {
        this.comparison = comparison;
        this.target = target;
        this.complement = complement;
        this.combine = combine;
        this.combined = combined;
        this.negated = negated;
    }

    @Override
    void execute(Warp warp, int mask) {
        int holds = comparison.holds(warp, mask);
        int other = combined < 0 ? 0 : negated ? ~warp.predicates[combined] : warp.predicates[combined];
        store(warp, target, mask, combine(holds, other));
        if (complement >= 0) {
            store(warp, complement, mask, combine(~holds, other));
        }
    }

    private int combine(int holds, int other) {
        return switch (combine) {
            case NONE -> holds;
            case AND -> holds & other;
            case OR -> holds | other;
            case XOR -> holds ^ other;
        };
    }

    private static void store(Warp warp, int predicate, int mask, int value) {
        warp.predicates[predicate] = warp.predicates[predicate] & ~mask | value & mask;
    }
}
