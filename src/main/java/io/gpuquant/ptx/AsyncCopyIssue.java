package io.gpuquant.ptx;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

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
        long[] from = warp.addresses;
        long[] to = warp.otherAddresses;
        int[] counts = warp.words[readable];
        source.gather(warp, mask, from);
        target.gather(warp, mask, to);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            requireSound(lane, from[lane], to[lane], counts[lane]);
        }
        checkSource(warp, mask, from, counts);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            begin(warp, lane, from[lane], to[lane], counts[lane]);
        }
    }

    private void requireSound(int lane, long from, long to, int count) {
        if (count < 0 || count > bytes) {
            throw new LaneFault(lane, "cp.async reads " + count + " of " + bytes + " bytes");
        }
        if (((count > 0 ? from | to : to) & (bytes - 1)) != 0) {
            throw new LaneFault(lane, "cp.async of " + bytes + " bytes at an address that is not aligned to them");
        }
    }

    /** Checks the lanes that read all bytes together, and the others each for the bytes that it reads. */
    private void checkSource(Warp warp, int mask, long[] from, int[] counts) {
        int whole = 0;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            whole |= (counts[lane] == bytes ? 1 : 0) << lane;
        }
        MemorySpace.GLOBAL.check(warp, whole, from, bytes, AccessKind.READ);
        for (int rest = mask & ~whole; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            long[] single = new long[LANES];
            for (int i = 0; i < counts[lane]; i++) {
                single[lane] = from[lane] + i;
                MemorySpace.GLOBAL.check(warp, 1 << lane, single, 1, AccessKind.READ);
            }
        }
    }

    /** Copies into shared memory, or on a checked machine to where the bytes wait until they arrive. */
    private void begin(Warp warp, int lane, long from, long to, int count) {
        SharedMemory shared = warp.block().shared();
        SharedShadow shadow = shared.shadow();
        Ordering ordering = warp.ordering();
        AsyncCopies copies = warp.asyncCopies();
        int at = (int) to;
        if (shadow == null || ordering == null || copies == null || to != at) {
            shared.requireInside(lane, to, bytes, AccessKind.WRITE);
            copy(from, shared.bytes(), at, count);
        } else {
            shadow.beginCopy(at, bytes, ordering, lane);
            int place = copies.issue(lane, at, bytes);
            copy(from, copies.bytes(), place, count);
        }
    }

    private void copy(long from, byte[] memory, int at, int count) {
        if (count == bytes) {
            for (int i = 0; i < bytes; i += Integer.BYTES) {
                SharedMemory.INT.set(memory, at + i, GlobalMemory.EVERYTHING.get(ElementAccess.INT, from + i));
            }
        } else {
            MemorySegment.copy(GlobalMemory.EVERYTHING, ValueLayout.JAVA_BYTE, from, memory, at, count);
            Arrays.fill(memory, at + count, at + bytes, (byte) 0);
        }
    }
}
