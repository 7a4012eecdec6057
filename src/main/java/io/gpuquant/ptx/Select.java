package io.gpuquant.ptx;

/** {@code selp}: one of two registers by a predicate. */
final class Select {

    private Select() {}

    /** For registers of at most 32 bits. */
    static final class Word extends Operation {

        private final int target;
        private final int first;
        private final int second;
        private final int condition;

        Word(int target, int first, int second, int condition) {
            this.target = target;
            this.first = first;
            this.second = second;
            this.condition = condition;
        }

        @Override
        void execute(Warp warp, int mask) {
            int[] out = warp.words[target];
            int[] a = warp.words[first];
            int[] b = warp.words[second];
            int chosen = warp.predicates[condition];
            if (mask == ALL_LANES) {
                for (int lane = 0; lane < LANES; lane++) {
                    out[lane] = (chosen >>> lane & 1) != 0 ? a[lane] : b[lane];
                }
            } else {
                for (int rest = mask; rest != 0; rest &= rest - 1) {
                    int lane = Integer.numberOfTrailingZeros(rest);
                    out[lane] = (chosen >>> lane & 1) != 0 ? a[lane] : b[lane];
                }
            }
        }
    }

    /** For registers of 64 bits. */
    static final class Wide extends Operation {

        private final int target;
        private final int first;
        private final int second;
        private final int condition;

        Wide(int target, int first, int second, int condition) {
            this.target = target;
            this.first = first;
            this.second = second;
            this.condition = condition;
        }

        @Override
        void execute(Warp warp, int mask) {
            long[] out = warp.longs[target];
            long[] a = warp.longs[first];
            long[] b = warp.longs[second];
            int chosen = warp.predicates[condition];
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                out[lane] = (chosen >>> lane & 1) != 0 ? a[lane] : b[lane];
            }
        }
    }
}
