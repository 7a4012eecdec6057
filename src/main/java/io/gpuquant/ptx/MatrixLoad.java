package io.gpuquant.ptx;

/**
 * {@code ldmatrix}: one, two or four 8 x 8 matrices of 16-bit elements from shared memory. Lanes 0 to 7 give the addresses
 * of the rows of the first matrix, 8 to 15 of the second, and so on.
 */
final class MatrixLoad extends Collective {

    private static final int ROW_BYTES = 16;
    private static final int ROWS = 8;

    private final int[] targets;
    private final AddressSource source;
    private final boolean transposed;

    MatrixLoad(int[] targets, AddressSource source, boolean transposed) {
        super(Members.ALL_LIVE);
        this.targets = targets;
        this.source = source;
        this.transposed = transposed;
    }

    @Override
    void execute(Warp warp, int mask) {
        if (mask != ALL_LANES) {
            throw new LaneFault(Integer.numberOfTrailingZeros(~mask), "ldmatrix needs all 32 lanes");
        }
        int rowCount = targets.length * ROWS;
        int rowMask = rowCount == LANES ? ALL_LANES : (1 << rowCount) - 1;
        long[] rows = warp.addresses;
        source.gather(warp, rowMask, rows);
        for (int lane = 0; lane < rowCount; lane++) {
            if ((rows[lane] & (ROW_BYTES - 1)) != 0) {
                throw new LaneFault(lane, "ldmatrix row address " + rows[lane] + " is not aligned to 16 bytes");
            }
        }
        MemorySpace.SHARED.check(warp, rowMask, rows, ROW_BYTES, AccessKind.READ);
        byte[] memory = warp.block().shared().bytes();
        for (int matrix = 0; matrix < targets.length; matrix++) {
            int[] out = warp.words[targets[matrix]];
            for (int lane = 0; lane < LANES; lane++) {
                int group = lane >> 2;
                int pair = (lane & 3) * 2;
                if (transposed) {
                    int low = element(memory, rows[matrix * ROWS + pair], group);
                    int high = element(memory, rows[matrix * ROWS + pair + 1], group);
                    out[lane] = high << 16 | low;
                } else {
                    out[lane] = (int) SharedMemory.INT.get(memory, (int) rows[matrix * ROWS + group] + pair * 2);
                }
            }
        }
    }

    private static int element(byte[] memory, long row, int column) {
        return (short) SharedMemory.SHORT.get(memory, (int) row + column * 2) & 0xffff;
    }
}
