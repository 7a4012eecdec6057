package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;

/** {@code ld.param}: the same value for every lane. */
final class ParameterLoad {

    private ParameterLoad() {}

    /** Up to 32 bits. */
    static final class Word extends Operation {

        private final int target;
        private final int offset;
        private final PtxType type;

        Word(int target, int offset, PtxType type) {
            this.target = target;
            this.offset = offset;
            this.type = type;
        }

        @Override
        void execute(Warp warp, int mask) {
            byte[] parameters = warp.block().launch().parameters();
            int value = switch (type.bits()) {
                case 8 -> type.isSigned() ? parameters[offset] : parameters[offset] & 0xff;
                case 16 -> (short) SharedMemory.SHORT.get(parameters, offset) & 0xffff;
                default -> (int) SharedMemory.INT.get(parameters, offset);
            };
            int[] out = warp.words[target];
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                out[Integer.numberOfTrailingZeros(rest)] = value;
            }
        }
    }

    /** 64 bits. */
    static final class Wide extends Operation {

        private final int target;
        private final int offset;

        Wide(int target, int offset) {
            this.target = target;
            this.offset = offset;
        }

        @Override
        void execute(Warp warp, int mask) {
            long value = (long) SharedMemory.LONG.get(warp.block().launch().parameters(), offset);
            long[] out = warp.longs[target];
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                out[Integer.numberOfTrailingZeros(rest)] = value;
            }
        }
    }
}
