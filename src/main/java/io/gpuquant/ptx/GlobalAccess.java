package io.gpuquant.ptx;

import org.jspecify.annotations.Nullable;

/** What loads and stores of global memory share on a fast machine: one check of all lanes against one allocation. */
abstract class GlobalAccess extends Operation {

    final int base;
    final int[] registers;

    /** Bytes from the base address to each register's element. */
    final int[] shifts;

    private final int offset;
    private final int bytes;
    private final boolean load;

    /** The allocation of the last access, which most likely is that of the next. Shared by threads, and a hint only. */
    private @Nullable Allocation recent;

    GlobalAccess(int[] arguments, boolean load) {
        AccessArguments parsed = AccessArguments.of(arguments);
        base = parsed.base();
        offset = parsed.offset();
        bytes = parsed.bytes();
        registers = parsed.registers();
        shifts = parsed.shifts();
        this.load = load;
    }

    /** Checks that every active lane's access lies in an allocation. */
    final void requireInside(Warp warp, long[] addresses, int mask) {
        Allocation allocation = recent;
        if (allocation == null || !allocation.isLive() || !allInside(allocation, addresses, mask)) {
            searchAllocations(warp, addresses, mask);
        }
    }

    private boolean allInside(Allocation allocation, long[] addresses, int mask) {
        long low = allocation.base() - offset;
        long high = low + allocation.byteSize() - bytes;
        // The sign bit of an or is set when any term is negative: no branches in the loop.
        long outside = 0;
        if (mask == ALL_LANES) {
            for (int lane = 0; lane < LANES; lane++) {
                outside |= addresses[lane] - low | high - addresses[lane];
            }
        } else {
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                outside |= addresses[lane] - low | high - addresses[lane];
            }
        }
        return outside >= 0;
    }

    private void searchAllocations(Warp warp, long[] addresses, int mask) {
        GlobalMemory memory = warp.block().launch().memory();
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            long address = addresses[lane] + offset;
            Allocation allocation = memory.find(address, bytes);
            if (allocation == null) {
                throw new LaneFault(
                        lane,
                        "global " + (load ? "load" : "store") + " of " + bytes + " bytes " + memory.describe(address));
            }
            recent = allocation;
        }
    }
}
