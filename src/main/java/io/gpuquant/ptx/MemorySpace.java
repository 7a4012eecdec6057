package io.gpuquant.ptx;

import java.lang.foreign.ValueLayout;

/** A state space: the checks of accesses to it, and the accesses themselves, lane by lane. */
enum MemorySpace {
    GLOBAL {
        @Override
        void check(Warp warp, int mask, long[] addresses, int bytes, AccessKind kind) {
            LaunchStatistics statistics = warp.block().statistics();
            if (statistics != null && kind != AccessKind.ATOMIC) {
                statistics.countGlobal(mask, addresses, bytes);
            }
            Allocation allocation = null;
            Ordering ordering = warp.ordering();
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                long address = addresses[lane];
                if (allocation == null || !allocation.contains(address, bytes)) {
                    allocation = require(warp, lane, address, bytes, kind);
                }
                GlobalShadow shadow = allocation.shadow();
                if (shadow != null && ordering != null) {
                    requireAligned(lane, address, bytes);
                    if (kind == AccessKind.READ) {
                        shadow.read(address, bytes, ordering, lane);
                    } else {
                        shadow.write(address, bytes, ordering, lane, kind == AccessKind.ATOMIC);
                    }
                }
            }
        }

        private static Allocation require(Warp warp, int lane, long address, int bytes, AccessKind kind) {
            GlobalMemory memory = warp.block().launch().memory();
            Allocation allocation = memory.find(address, bytes);
            if (allocation == null) {
                throw new LaneFault(lane, "global " + kind + " of " + bytes + " bytes " + memory.describe(address));
            }
            return allocation;
        }

        @Override
        long read(Warp warp, int lane, long address, int bytes) {
            return switch (bytes) {
                case 1 -> GlobalMemory.EVERYTHING.get(ValueLayout.JAVA_BYTE, address) & 0xffL;
                case 2 -> GlobalMemory.EVERYTHING.get(ElementAccess.SHORT, address) & 0xffffL;
                case 4 -> GlobalMemory.EVERYTHING.get(ElementAccess.INT, address) & 0xffff_ffffL;
                default -> GlobalMemory.EVERYTHING.get(ElementAccess.LONG, address);
            };
        }

        @Override
        void write(Warp warp, int lane, long address, int bytes, long value) {
            switch (bytes) {
                case 1 -> GlobalMemory.EVERYTHING.set(ValueLayout.JAVA_BYTE, address, (byte) value);
                case 2 -> GlobalMemory.EVERYTHING.set(ElementAccess.SHORT, address, (short) value);
                case 4 -> GlobalMemory.EVERYTHING.set(ElementAccess.INT, address, (int) value);
                default -> GlobalMemory.EVERYTHING.set(ElementAccess.LONG, address, value);
            }
        }
    },
    SHARED {
        @Override
        void check(Warp warp, int mask, long[] addresses, int bytes, AccessKind kind) {
            LaunchStatistics statistics = warp.block().statistics();
            if (statistics != null && kind != AccessKind.ATOMIC) {
                statistics.countShared(mask, addresses, bytes);
            }
            SharedMemory shared = warp.block().shared();
            SharedShadow shadow = shared.shadow();
            Ordering ordering = warp.ordering();
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                long address = addresses[lane];
                if (shadow == null || ordering == null || address != (int) address) {
                    shared.requireInside(lane, address, bytes, kind);
                } else {
                    requireAligned(lane, address, bytes);
                    if (kind == AccessKind.READ) {
                        shadow.read((int) address, bytes, ordering, lane);
                    } else {
                        shadow.write((int) address, bytes, ordering, lane, kind == AccessKind.ATOMIC);
                    }
                }
            }
        }

        @Override
        long read(Warp warp, int lane, long address, int bytes) {
            return readBytes(warp.block().shared().bytes(), (int) address, bytes);
        }

        @Override
        void write(Warp warp, int lane, long address, int bytes, long value) {
            writeBytes(warp.block().shared().bytes(), (int) address, bytes, value);
        }
    },
    LOCAL {
        @Override
        void check(Warp warp, int mask, long[] addresses, int bytes, AccessKind kind) {
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                requireAligned(lane, addresses[lane], bytes);
                warp.local().check(lane, addresses[lane], bytes, kind);
            }
        }

        @Override
        long read(Warp warp, int lane, long address, int bytes) {
            return readBytes(warp.local().bytes(), warp.local().position(lane, address), bytes);
        }

        @Override
        void write(Warp warp, int lane, long address, int bytes, long value) {
            writeBytes(warp.local().bytes(), warp.local().position(lane, address), bytes, value);
        }
    },
    GENERIC {
        @Override
        void check(Warp warp, int mask, long[] addresses, int bytes, AccessKind kind) {
            long[] inSpace = new long[Operation.LANES];
            int global = 0;
            int shared = 0;
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                inSpace[lane] = inSpace(addresses[lane]);
                switch (spaceOf(addresses[lane])) {
                    case GLOBAL -> global |= 1 << lane;
                    case SHARED -> shared |= 1 << lane;
                    default -> {
                        // What is in neither is local.
                    }
                }
            }
            GLOBAL.check(warp, global, inSpace, bytes, kind);
            SHARED.check(warp, shared, inSpace, bytes, kind);
            LOCAL.check(warp, mask & ~global & ~shared, inSpace, bytes, kind);
        }

        @Override
        long read(Warp warp, int lane, long address, int bytes) {
            return spaceOf(address).read(warp, lane, inSpace(address), bytes);
        }

        @Override
        void write(Warp warp, int lane, long address, int bytes, long value) {
            spaceOf(address).write(warp, lane, inSpace(address), bytes, value);
        }
    };

    static MemorySpace named(String name) {
        return switch (name) {
            // Nothing writes constant memory, so it may well be global.
            case "global", "const" -> GLOBAL;
            case "shared", "shared::cta" -> SHARED;
            case "local" -> LOCAL;
            default -> GENERIC;
        };
    }

    /** The space that a generic address lies in. */
    static MemorySpace spaceOf(long address) {
        if ((address & GenericSpace.SHARED_WINDOW) != 0) {
            return SHARED;
        }
        return (address & GenericSpace.LOCAL_WINDOW) != 0 ? LOCAL : GLOBAL;
    }

    private static long inSpace(long address) {
        return spaceOf(address) == GLOBAL ? address : address & GenericSpace.OFFSET_MASK;
    }

    /**
     * Checks that lanes may access their addresses, and notes that they do.
     *
     * @param addresses by lane
     * @throws LaneFault when one must not
     */
    abstract void check(Warp warp, int mask, long[] addresses, int bytes, AccessKind kind);

    /** Reads 1, 2, 4 or 8 bytes, zero-extended, from a checked address. */
    abstract long read(Warp warp, int lane, long address, int bytes);

    /** Writes the low 1, 2, 4 or 8 bytes to a checked address. */
    abstract void write(Warp warp, int lane, long address, int bytes, long value);

    private static void requireAligned(int lane, long address, int bytes) {
        if ((address & (bytes - 1)) != 0) {
            throw new LaneFault(
                    lane, "address 0x" + Long.toHexString(address) + " is not aligned to " + bytes + " bytes");
        }
    }

    /** Reads 1, 2, 4 or 8 bytes, zero-extended. */
    static long readBytes(byte[] memory, int at, int bytes) {
        return switch (bytes) {
            case 1 -> memory[at] & 0xffL;
            case 2 -> (short) SharedMemory.SHORT.get(memory, at) & 0xffffL;
            case 4 -> (int) SharedMemory.INT.get(memory, at) & 0xffff_ffffL;
            default -> (long) SharedMemory.LONG.get(memory, at);
        };
    }

    private static void writeBytes(byte[] memory, int at, int bytes, long value) {
        switch (bytes) {
            case 1 -> memory[at] = (byte) value;
            case 2 -> SharedMemory.SHORT.set(memory, at, (short) value);
            case 4 -> SharedMemory.INT.set(memory, at, (int) value);
            default -> SharedMemory.LONG.set(memory, at, value);
        }
    }
}
