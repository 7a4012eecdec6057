package io.gpuquant.ptx;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Comparator;
import org.jspecify.annotations.Nullable;

/**
 * Global memory of the virtual GPU. Addresses are real addresses of this process, so that other native code may work on
 * the same buffers; every access of a kernel is checked against the allocations, in each mode.
 */
public final class GlobalMemory {

    /** All memory of the process, seen without bounds: whoever reads through it has checked an {@link Allocation} first. */
    static final MemorySegment EVERYTHING = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    private final boolean checked;

    /** Sorted by address and never changed in place, so that running kernels may search it without a lock. */
    private volatile Allocation[] allocations = {};

    GlobalMemory(boolean checked) {
        this.checked = checked;
    }

    /** Allocates memory, aligned to 256 bytes, whose content is undefined. */
    public synchronized Allocation allocate(String name, long bytes) {
        Allocation added = new Allocation(name, bytes, checked);
        Allocation[] next = Arrays.copyOf(allocations, allocations.length + 1);
        next[next.length - 1] = added;
        Arrays.sort(next, Comparator.comparingLong(Allocation::base));
        allocations = next;
        return added;
    }

    /** Gives memory back; later accesses to it are faults. */
    public synchronized void free(Allocation allocation) {
        if (!allocation.isLive()) {
            throw new IllegalStateException("'" + allocation.name() + "' is freed twice");
        }
        allocations =
                Arrays.stream(allocations).filter(other -> other != allocation).toArray(Allocation[]::new);
        allocation.free();
    }

    /**
     * The bytes of a range for the host to read, with the checks a kernel's read would get.
     *
     * @throws IllegalArgumentException when the range is not inside one allocation, or on a checked machine holds a byte
     *     that was never written
     */
    public MemorySegment readable(long address, long bytes) {
        Allocation allocation = require(address, bytes);
        GlobalShadow shadow = allocation.shadow();
        if (shadow != null) {
            long uninitialised = shadow.firstUninitialised(address, bytes);
            if (uninitialised >= 0) {
                throw new IllegalArgumentException("the host reads byte " + (uninitialised - allocation.base())
                        + " of '" + allocation.name() + "', which was never written");
            }
        }
        return EVERYTHING.asSlice(address, bytes);
    }

    /**
     * The bytes of a range for the host to fill; they count as written.
     *
     * @throws IllegalArgumentException when the range is not inside one allocation
     */
    public MemorySegment writable(long address, long bytes) {
        GlobalShadow shadow = require(address, bytes).shadow();
        if (shadow != null) {
            shadow.markInitialised(address, bytes);
        }
        return EVERYTHING.asSlice(address, bytes);
    }

    private Allocation require(long address, long bytes) {
        Allocation allocation = find(address, bytes);
        if (allocation == null) {
            throw new IllegalArgumentException(bytes + " bytes " + describe(address));
        }
        return allocation;
    }

    /** The live allocation that holds all of a range, or null. */
    @Nullable
    Allocation find(long address, long bytes) {
        Allocation below = floor(address);
        return below != null && below.contains(address, bytes) ? below : null;
    }

    /** Where an address lies, in words: {@code 4 bytes past the end of 'x'}. */
    String describe(long address) {
        Allocation below = floor(address);
        if (below == null) {
            return "at 0x" + Long.toHexString(address) + ", below every allocation";
        }
        long offset = address - below.base();
        if (offset < below.byteSize()) {
            return "at byte " + offset + " of '" + below.name() + "' (" + below.byteSize() + " bytes)";
        }
        return "at " + (offset - below.byteSize()) + " bytes past the end of '" + below.name() + "' ("
                + below.byteSize() + " bytes)";
    }

    private @Nullable Allocation floor(long address) {
        Allocation[] sorted = allocations;
        int low = 0;
        int high = sorted.length;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (sorted[middle].base() <= address) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low == 0 ? null : sorted[low - 1];
    }
}
