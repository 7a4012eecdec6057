package io.gpuquant.ptx;

import java.util.Arrays;

/**
 * The {@code cp.async} copies of a warp that are under way. Bytes are taken from global memory when the copy is issued and
 * arrive when the lane that issued it has waited for its group.
 */
final class AsyncCopies {

    private static final int LARGEST = 16;

    /** The groups that each lane has closed. */
    private final int[] committed = new int[Operation.LANES];

    // What is under way, in the order of issue.
    private int[] lanes = new int[Operation.LANES];
    private int[] groups = new int[Operation.LANES];
    private int[] targets = new int[Operation.LANES];
    private int[] sizes = new int[Operation.LANES];
    private byte[] bytes = new byte[LARGEST * Operation.LANES];
    private int count;

    void reset() {
        count = 0;
        Arrays.fill(committed, 0);
    }

    /** Begins a copy; the caller fills in its bytes from the returned place on in {@link #bytes}. */
    int issue(int lane, int target, int size) {
        if (count == lanes.length) {
            lanes = Arrays.copyOf(lanes, 2 * count);
            groups = Arrays.copyOf(groups, 2 * count);
            targets = Arrays.copyOf(targets, 2 * count);
            sizes = Arrays.copyOf(sizes, 2 * count);
            bytes = Arrays.copyOf(bytes, 2 * LARGEST * count);
        }
        lanes[count] = lane;
        groups[count] = committed[lane];
        targets[count] = target;
        sizes[count] = size;
        return LARGEST * count++;
    }

    byte[] bytes() {
        return bytes;
    }

    /** Closes the group of copies that each lane has open. */
    void commit(int mask) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            committed[Integer.numberOfTrailingZeros(rest)]++;
        }
    }

    /** Delivers all but the latest {@code pending} closed groups of each lane; with -1 also what is not closed. */
    void await(Warp warp, int mask, int pending) {
        int kept = 0;
        for (int i = 0; i < count; i++) {
            boolean waits = (mask >>> lanes[i] & 1) != 0;
            if (waits && (pending < 0 || groups[i] < committed[lanes[i]] - pending)) {
                deliver(warp, i);
            } else {
                keep(i, kept++);
            }
        }
        count = kept;
    }

    private void deliver(Warp warp, int i) {
        SharedMemory shared = warp.block().shared();
        System.arraycopy(bytes, LARGEST * i, shared.bytes(), targets[i], sizes[i]);
        SharedShadow shadow = shared.shadow();
        Ordering ordering = warp.ordering();
        if (shadow != null && ordering != null) {
            shadow.endCopy(targets[i], sizes[i], ordering, lanes[i]);
        }
    }

    private void keep(int from, int to) {
        lanes[to] = lanes[from];
        groups[to] = groups[from];
        targets[to] = targets[from];
        sizes[to] = sizes[from];
        System.arraycopy(bytes, LARGEST * from, bytes, LARGEST * to, LARGEST);
    }
}
