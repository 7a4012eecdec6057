package io.gpuquant.ptx;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The start of a {@code cp.async}; on a fast machine the whole of it. */
final class AsyncCopyIssue extends Operation {

    private final AddressSource target;
    private final AddressSource source;
    private final int bytes;
    private final int readable;

    /**
     * @param readable index of the 32-bit register that says how many bytes to read
     */
    AsyncCopyIssue(AddressSource target, AddressSource source, int bytes, int readable) {
        this.target = target;
        this.source = source;
        this.bytes = bytes;
        this.readable = readable;
    }

    @Override
    void execute(Warp warp, int mask) {
        SharedMemory shared = warp.block().shared();
        AsyncCopies copies = warp.asyncCopies();
        AccessPattern.count(warp, mask, MemorySpace.GLOBAL, source, bytes);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int count = warp.words[readable][lane];
            if (count < 0 || count > bytes) {
                throw new LaneFault(lane, "cp.async reads " + count + " of " + bytes + " bytes");
            }
            long from = source.address(warp, lane);
            int to = (int) target.address(warp, lane);
            if (count > 0) {
                requireAligned(lane, from);
                MemorySpace.GLOBAL.checkRead(warp, lane, from, count == bytes ? bytes : 1);
                MemorySpace.GLOBAL.checkRead(warp, lane, from + count - 1, 1);
            }
            requireAligned(lane, to);
            byte[] data = new byte[bytes];
            MemorySegment.copy(GlobalMemory.EVERYTHING, ValueLayout.JAVA_BYTE, from, data, 0, count);
            if (copies == null) {
                shared.requireInside(lane, to, bytes, "cp.async");
                System.arraycopy(data, 0, shared.bytes(), to, bytes);
            } else {
                shared.noteCopyIssued(to, bytes, warp.access(lane));
                copies.issue(lane, to, data);
            }
        }
    }

    private void requireAligned(int lane, long address) {
        if ((address & (bytes - 1)) != 0) {
            throw new LaneFault(lane, "cp.async of " + bytes + " bytes at an address that is not aligned to them");
        }
    }
}
