package io.gpuquant.ptx;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;

/**
 * The {@code cp.async} copies of a warp that are under way. Bytes are taken from global memory when the copy is issued and
 * arrive when the lane that issued it has waited for its group.
 */
final class AsyncCopies {

    private record Copy(int lane, int group, int target, byte[] bytes) {}

    private final List<Copy> underWay = new ArrayList<>();
    private final int[] committed = new int[Operation.LANES];

    void reset() {
        underWay.clear();
        Arrays.fill(committed, 0);
    }

    void issue(int lane, int target, byte[] bytes) {
        underWay.add(new Copy(lane, committed[lane], target, bytes));
    }

    /** Closes the group of copies that each lane has open. */
    void commit(int mask) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            committed[Integer.numberOfTrailingZeros(rest)]++;
        }
    }

    /** Delivers all but the latest {@code pending} closed groups of each lane; with -1 also what is not closed. */
    void await(Warp warp, int mask, int pending) {
        SharedMemory shared = warp.block().shared();
        for (Iterator<Copy> copies = underWay.iterator(); copies.hasNext(); ) {
            Copy copy = copies.next();
            boolean waits = (mask >>> copy.lane() & 1) != 0;
            if (waits && (pending < 0 || copy.group() < committed[copy.lane()] - pending)) {
                System.arraycopy(copy.bytes(), 0, shared.bytes(), copy.target(), copy.bytes().length);
                shared.noteCopyArrived(copy.target(), copy.bytes().length, warp.access(copy.lane()));
                copies.remove();
            }
        }
    }
}
