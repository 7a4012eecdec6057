package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import org.jspecify.annotations.Nullable;

/**
 * How the operands of an {@code mma.sync} of 16 x 8 x k lie in the registers of a warp: lane {@code 4 g + t} holds, of A,
 * rows {@code g} and {@code g + 8}; of B, column {@code g}; and in each register a few consecutive elements along k, chosen
 * by {@code t}.
 *
 * @param k length of the sums
 * @param perRegister elements in one register
 */
record MatrixShape(PtxType type, int k, int perRegister) {

    /** Registers of C or D in each lane. */
    static final int ACCUMULATORS = 4;

    private static final int ROWS = 16;
    private static final int COLUMNS = 8;
    private static final int QUAD = 4;

    /** The shape of a supported product, or null. */
    static @Nullable MatrixShape of(PtxType type, int k) {
        int perRegister = switch (type) {
            case F16, BF16 -> k == 8 || k == 16 ? 2 : 0;
            case TF32 -> k == 4 || k == 8 ? 1 : 0;
            case S8, U8 -> k == 16 || k == 32 ? 4 : 0;
            default -> 0;
        };
        return perRegister == 0 ? null : new MatrixShape(type, k, perRegister);
    }

    int aRegisters() {
        return 2 * bRegisters();
    }

    int bRegisters() {
        return k / (QUAD * perRegister);
    }

    /** Elements of A, row-major 16 x k, from the registers of all lanes. */
    void gatherA(int[][] words, int[] registers, int[] elements) {
        for (int i = 0; i < registers.length; i++) {
            // Registers alternate between the two rows before they go on along k.
            int rowOffset = (i & 1) * (ROWS / 2);
            int kOffset = (i >> 1) * QUAD * perRegister;
            for (int lane = 0; lane < Operation.LANES; lane++) {
                int row = (lane >> 2) + rowOffset;
                unpack(words[registers[i]][lane], elements, row * k + kOffset + (lane & 3) * perRegister);
            }
        }
    }

    /** Elements of B, column by column, 8 x k, from the registers of all lanes. */
    void gatherB(int[][] words, int[] registers, int[] elements) {
        for (int i = 0; i < registers.length; i++) {
            int kOffset = i * QUAD * perRegister;
            for (int lane = 0; lane < Operation.LANES; lane++) {
                unpack(words[registers[i]][lane], elements, (lane >> 2) * k + kOffset + (lane & 3) * perRegister);
            }
        }
    }

    /** Elements of C or D, row-major 16 x 8: register {@code i} of a lane is row {@code g + 8 (i / 2)}, column 2 t + i % 2. */
    static int accumulatorIndex(int register, int lane) {
        int row = (lane >> 2) + (register >> 1) * (ROWS / 2);
        return row * COLUMNS + (lane & 3) * 2 + (register & 1);
    }

    private void unpack(int word, int[] elements, int at) {
        int bits = Integer.SIZE / perRegister;
        for (int i = 0; i < perRegister; i++) {
            int element = bits == Integer.SIZE ? word : word >>> bits * i & (1 << bits) - 1;
            elements[at + i] = element;
        }
    }
}
