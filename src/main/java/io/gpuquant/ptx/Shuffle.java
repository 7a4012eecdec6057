package io.gpuquant.ptx;

/** {@code shfl.sync}: each lane reads a register of another. */
final class Shuffle extends Collective {

    enum Mode {
        UP,
        DOWN,
        BFLY,
        IDX
    }

    private static final int LANE_BITS = 31;

    private final Mode mode;
    private final int target;
    private final int inRange;
    private final int source;
    private final int selector;
    private final int clamp;

    /**
     * @param inRange index of the predicate that says whether the source lane was in range, or -1
     * @param clamp index of the register with the clamp value in bits 0 to 4 and the segment mask in bits 8 to 12
     */
    Shuffle(Mode mode, Members members, int target, int inRange, int source, int selector, int clamp) {
        super(members);
        this.mode = mode;
        this.target = target;
        this.inRange = inRange;
        this.source = source;
        this.selector = selector;
        this.clamp = clamp;
    }

    @Override
    void execute(Warp warp, int mask) {
        int[] values = warp.words[source].clone();
        int[] out = warp.words[target];
        int[] selectors = warp.words[selector];
        int[] clamps = warp.words[clamp];
        int valid = 0;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int offset = selectors[lane] & LANE_BITS;
            int segment = clamps[lane] >>> 8 & LANE_BITS;
            int bound = clamps[lane] & LANE_BITS;
            int last = lane & segment | bound & ~segment;
            int from = switch (mode) {
                case UP -> lane - offset;
                case DOWN -> lane + offset;
                case BFLY -> lane ^ offset;
                case IDX -> lane & segment | offset & ~segment;
            };
            boolean ok = mode == Mode.UP ? from >= last : from <= last;
            int reads = ok ? from : lane;
            if ((mask >>> reads & 1) == 0) {
                throw new LaneFault(lane, "shfl reads lane " + reads + ", which does not take part");
            }
            out[lane] = values[reads];
            valid |= (ok ? 1 : 0) << lane;
        }
        if (inRange >= 0) {
            warp.predicates[inRange] = warp.predicates[inRange] & ~mask | valid;
        }
    }
}
