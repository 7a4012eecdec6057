package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import java.util.Arrays;

/** {@code ld.param}: the same value for every lane. */
final class ParameterLoad {

    private ParameterLoad() {}

    /** Into a register of up to 32 bits. */
    static final class Word extends Operation {

        private final int target;
        private final int offset;
        private final PtxType type;
        private final int registerBits;

        Word(int target, int offset, PtxType type, int registerBits) {
            this.target = target;
            this.offset = offset;
            this.type = type;
            this.registerBits = registerBits;
        }

        @Override
        void execute(Warp warp, int mask) {
            long bits = read(warp, offset, type.bytes());
            int value = ElementAccess.extend((int) bits, type, registerBits);
            int[] out = warp.words[target];
            if (mask == ALL_LANES) {
                Arrays.fill(out, value);
                return;
            }
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                out[Integer.numberOfTrailingZeros(rest)] = value;
            }
        }
    }

    /** Into a 64-bit register. */
    static final class Wide extends Operation {

        private final int target;
        private final int offset;
        private final PtxType type;

        Wide(int target, int offset, PtxType type) {
            this.target = target;
            this.offset = offset;
            this.type = type;
        }

        @Override
        void execute(Warp warp, int mask) {
            long value = ElementAccess.extend(read(warp, offset, type.bytes()), type);
            long[] out = warp.longs[target];
            if (mask == ALL_LANES) {
                Arrays.fill(out, value);
                return;
            }
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                out[Integer.numberOfTrailingZeros(rest)] = value;
            }
        }
    }

    private static long read(Warp warp, int offset, int bytes) {
        return MemorySpace.readBytes(warp.block().launch().parameters(), offset, bytes);
    }
}
