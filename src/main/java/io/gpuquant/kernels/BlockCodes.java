package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;

/** Where the loop of GPTQ puts the codes of a block. */
public sealed interface BlockCodes {

    /** Fails where the codes of a block of this size do not fit. */
    void require(int rows, int width);

    /** Bytes of shared memory in which words are put together for one row; zero where they are not. */
    int wordBytesOfRow(int width);

    /**
     * A byte for each code.
     *
     * @param codes U8 [rows, width]; may be a window
     */
    record Bytes(DeviceMatrix codes) implements BlockCodes {

        @Override
        public void require(int rows, int width) {
            TypeCode.require(codes, DType.U8, rows, width);
        }

        @Override
        public int wordBytesOfRow(int width) {
            return 0;
        }
    }

    /**
     * The words of GPTQ checkpoints. 32 consecutive input features, a piece, fill as many words of an output feature as a code has
     * bits; so a block that consists of whole pieces, in whatever order its columns are, packs what it has found.
     *
     * @param words I32 [1, rows * in * bits / 32]: of each linear in turn the dense matrix [in * bits / 32, its rows]
     * @param bits of a code
     * @param targets I32 [1, width], aligned to 16 bytes: which bit of the words of the block's pieces each column's code starts
     *     at
     * @param pieces I32 [1, width / 32]: each piece's first input feature, divided by 32
     * @param linears I32 [1, linears + 1]: the first row of each linear and, after the last, the number of rows
     */
    record Words(DeviceMatrix words, int bits, DeviceMatrix targets, DeviceMatrix pieces, DeviceMatrix linears)
            implements BlockCodes {

        /** Input features whose codes fill whole words, whatever their bits. */
        public static final int PIECE = Integer.SIZE;

        private static final int TARGET_ALIGNMENT = 16;

        @Override
        public void require(int rows, int width) {
            if (width % PIECE != 0) {
                throw new IllegalArgumentException("packing a block of " + width + " columns");
            }
            int count = rows == 0 ? 0 : Math.toIntExact(words.elementCount() / rows);
            TypeCode.require(words, DType.I32, 1, Math.multiplyExact(count, rows));
            TypeCode.require(targets, DType.I32, 1, width);
            TypeCode.require(pieces, DType.I32, 1, width / PIECE);
            TypeCode.require(linears, DType.I32, 1, linears.columns());
            if (targets.address() % TARGET_ALIGNMENT != 0) {
                throw new IllegalArgumentException(targets + " is not aligned to " + TARGET_ALIGNMENT + " bytes");
            }
        }

        @Override
        public int wordBytesOfRow(int width) {
            return width * bits / Byte.SIZE;
        }

        /** Words of each output feature. */
        int wordsOfRow(int rows) {
            return Math.toIntExact(words.elementCount() / rows);
        }
    }
}
