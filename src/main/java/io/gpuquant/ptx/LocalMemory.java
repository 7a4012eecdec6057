package io.gpuquant.ptx;

import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/** Local memory of the lanes of a warp, one lane's after the other's. */
final class LocalMemory {

    private final int bytesPerLane;
    private final byte[] bytes;

    /** Which bytes were written, on a checked machine. */
    private final @Nullable BitSet written;

    LocalMemory(int bytesPerLane, boolean checked) {
        this.bytesPerLane = bytesPerLane;
        bytes = new byte[bytesPerLane * Operation.LANES];
        written = checked ? new BitSet() : null;
    }

    /** Makes it that of a new block. */
    void reset() {
        if (written != null) {
            written.clear();
        }
    }

    byte[] bytes() {
        return bytes;
    }

    /** Where an address of a lane is among all bytes. */
    int position(int lane, long address) {
        return lane * bytesPerLane + (int) address;
    }

    /** Checks that a lane may access a range, and notes that it does. */
    void check(int lane, long address, int size, AccessKind kind) {
        if (address < 0 || address + size > bytesPerLane) {
            throw new LaneFault(
                    lane,
                    "local " + kind + " at address " + address + ", outside the thread's " + bytesPerLane + " bytes");
        }
        if (written == null) {
            return;
        }
        int at = position(lane, address);
        if (kind != AccessKind.WRITE && written.nextClearBit(at) < at + size) {
            throw new LaneFault(lane, "read of local byte " + address + ", which was never written");
        }
        written.set(at, at + size);
    }
}
