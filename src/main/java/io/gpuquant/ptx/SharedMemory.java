package io.gpuquant.ptx;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The shared memory of one block, with what a checked machine knows about every byte of it. */
final class SharedMemory {

    static final VarHandle SHORT = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
    static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private static final byte UNWRITTEN = 0;
    private static final byte WRITTEN = 1;
    private static final byte IN_FLIGHT = 2;
    private static final byte GUARD = 3;

    private final byte[] bytes;
    private final SharedLayout layout;
    private final int dynamicBytes;
    private final byte @Nullable [] state;
    private @Nullable AccessHistory history;

    SharedMemory(SharedLayout layout, int dynamicBytes, boolean checked) {
        this.layout = layout;
        this.dynamicBytes = dynamicBytes;
        bytes = new byte[layout.totalBytes(dynamicBytes)];
        state = checked ? new byte[bytes.length] : null;
    }

    /** The memory itself; an index outside it is a fault of the kernel. */
    byte[] bytes() {
        return bytes;
    }

    /** Makes the memory that of a new block. */
    void reset() {
        if (state != null) {
            Arrays.fill(state, GUARD);
            layout.forEachVariable(
                    dynamicBytes, (offset, size) -> Arrays.fill(state, offset, offset + size, UNWRITTEN));
            history = new AccessHistory(bytes.length);
        }
    }

    /** Checks a range against the memory as a whole. */
    void requireInside(int lane, int address, int size, String verb) {
        if (address < 0 || address > bytes.length - size) {
            throw new LaneFault(
                    lane,
                    verb + " of " + size + " bytes at shared address " + address + ", outside the block's "
                            + bytes.length + " bytes");
        }
    }

    /** Checks and notes a read by a lane of a checked machine. */
    void noteRead(int address, int size, Access access) {
        int lane = access.thread() % Operation.LANES;
        requireAligned(lane, address, size);
        requireInside(lane, address, size, "load");
        for (int at = address; at < address + size; at++) {
            requireOwned(lane, at, "load");
            byte is = states()[at];
            if (is == UNWRITTEN) {
                throw new LaneFault(lane, "read of shared byte " + layout.describe(at) + ", which was never written");
            }
            if (is == IN_FLIGHT) {
                throw new LaneFault(
                        lane,
                        "read of shared byte " + layout.describe(at)
                                + " while a cp.async to it is in flight (cp.async.wait_group is missing)");
            }
            Access writer = histories().read(at, access);
            if (writer != null) {
                throw race(lane, at, access, "read", writer);
            }
        }
    }

    /** Checks and notes a write by a lane of a checked machine. */
    void noteWrite(int address, int size, Access access, boolean atomic) {
        noteWrite(address, size, access, atomic, WRITTEN);
    }

    /** Checks and notes the start of an asynchronous copy into shared memory. */
    void noteCopyIssued(int address, int size, Access access) {
        noteWrite(address, size, access, false, IN_FLIGHT);
    }

    /** Notes that an asynchronous copy has arrived and is visible to the lane that waited for it. */
    void noteCopyArrived(int address, int size, Access access) {
        for (int at = address; at < address + size; at++) {
            states()[at] = WRITTEN;
            histories().forgetWrite(at);
            histories().write(at, access, false);
        }
    }

    private void noteWrite(int address, int size, Access access, boolean atomic, byte becomes) {
        int lane = access.thread() % Operation.LANES;
        requireAligned(lane, address, size);
        requireInside(lane, address, size, "store");
        for (int at = address; at < address + size; at++) {
            requireOwned(lane, at, "store");
            if (states()[at] == IN_FLIGHT) {
                throw new LaneFault(
                        lane, "write of shared byte " + layout.describe(at) + " while a cp.async to it is in flight");
            }
            Access earlier = histories().write(at, access, atomic);
            if (earlier != null) {
                throw race(lane, at, access, "written", earlier);
            }
            states()[at] = becomes;
        }
    }

    private void requireOwned(int lane, int at, String verb) {
        if (states()[at] == GUARD) {
            throw new LaneFault(lane, verb + " at shared address " + at + ", " + layout.describe(at));
        }
    }

    private static void requireAligned(int lane, int address, int size) {
        if ((address & (size - 1)) != 0) {
            throw new LaneFault(lane, "shared address " + address + " is not aligned to " + size + " bytes");
        }
    }

    private LaneFault race(int lane, int at, Access access, String verb, Access earlier) {
        return new LaneFault(
                lane,
                "race: shared byte " + layout.describe(at) + " is " + verb + " by thread " + access.thread()
                        + " and was touched by thread " + earlier.thread() + " with no barrier between");
    }

    private byte[] states() {
        if (state == null) {
            throw new IllegalStateException("this machine does not check");
        }
        return state;
    }

    private AccessHistory histories() {
        if (history == null) {
            throw new IllegalStateException("this machine does not check");
        }
        return history;
    }
}
