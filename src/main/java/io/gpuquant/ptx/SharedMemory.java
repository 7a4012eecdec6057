package io.gpuquant.ptx;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/** The shared memory of one block. */
final class SharedMemory {

    static final VarHandle SHORT = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
    static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private final byte[] bytes;
    private final @Nullable SharedShadow shadow;

    SharedMemory(SharedLayout layout, int dynamicBytes, boolean checked) {
        bytes = new byte[layout.totalBytes(dynamicBytes)];
        shadow = checked ? new SharedShadow(layout, dynamicBytes) : null;
    }

    /** The memory itself; an index outside it is a fault of the kernel. */
    byte[] bytes() {
        return bytes;
    }

    /** What a checked machine knows about it, or null on a fast one. */
    @Nullable
    SharedShadow shadow() {
        return shadow;
    }

    /** Makes the memory that of a new block. */
    void reset() {
        if (shadow != null) {
            shadow.reset();
        }
    }

    /** Checks a range against the memory as a whole. */
    void requireInside(int lane, long address, int size, AccessKind kind) {
        if (address < 0 || address > bytes.length - size) {
            throw new LaneFault(
                    lane,
                    kind + " of " + size + " bytes at shared address " + address + ", outside the block's "
                            + bytes.length + " bytes");
        }
    }
}
