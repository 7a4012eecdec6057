package io.gpuquant.ptx;

/** Logic on predicates, all lanes at once. */
final class PredicateOperation extends Operation {

    enum Kind {
        AND,
        OR,
        XOR,
        NOT,
        COPY
    }

    private final Kind kind;
    private final int target;
    private final int first;
    private final int second;

    PredicateOperation(Kind kind, int target, int first, int second) {
        this.kind = kind;
        this.target = target;
        this.first = first;
        this.second = second;
    }

    @Override
    void execute(Warp warp, int mask) {
        int a = warp.predicates[first];
        int b = warp.predicates[second];
        int value = switch (kind) {
            case AND -> a & b;
            case OR -> a | b;
            case XOR -> a ^ b;
            case NOT -> ~a;
            case COPY -> a;
        };
        warp.predicates[target] = warp.predicates[target] & ~mask | value & mask;
    }
}
