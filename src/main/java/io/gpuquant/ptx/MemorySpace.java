package io.gpuquant.ptx;

import java.lang.foreign.ValueLayout;

/** A state space, accessed lane by lane with all checks that the machine makes. */
enum MemorySpace {
    GLOBAL {
        @Override
        void checkRead(Warp warp, int lane, long address, int bytes) {
            Allocation allocation = require(warp, lane, address, bytes, "load");
            GlobalShadow shadow = allocation.shadow();
            if (shadow != null) {
                requireAligned(lane, address, bytes);
                shadow.read(address, bytes, warp.access(lane));
            }
        }

        @Override
        void checkWrite(Warp warp, int lane, long address, int bytes, boolean atomic) {
            Allocation allocation = require(warp, lane, address, bytes, "store");
            GlobalShadow shadow = allocation.shadow();
            if (shadow != null) {
                requireAligned(lane, address, bytes);
                shadow.write(address, bytes, warp.access(lane), atomic);
            }
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

        private static Allocation require(Warp warp, int lane, long address, int bytes, String verb) {
            GlobalMemory memory = warp.block().launch().memory();
            Allocation allocation = memory.find(address, bytes);
            if (allocation == null) {
                throw new LaneFault(lane, "global " + verb + " of " + bytes + " bytes " + memory.describe(address));
            }
            return allocation;
        }
    },
    SHARED {
        @Override
        void checkRead(Warp warp, int lane, long address, int bytes) {
            SharedMemory shared = warp.block().shared();
            shared.requireInside(lane, clampToInt(address), bytes, "load");
            if (warp.block().launch().options().isChecked()) {
                shared.noteRead((int) address, bytes, warp.access(lane));
            }
        }

        @Override
        void checkWrite(Warp warp, int lane, long address, int bytes, boolean atomic) {
            SharedMemory shared = warp.block().shared();
            shared.requireInside(lane, clampToInt(address), bytes, "store");
            if (warp.block().launch().options().isChecked()) {
                shared.noteWrite((int) address, bytes, warp.access(lane), atomic);
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
        void checkRead(Warp warp, int lane, long address, int bytes) {
            int size = warp.block().launch().kernel().localBytes();
            if (address < 0 || address + bytes > size) {
                throw new LaneFault(lane, "local address " + address + " is outside the thread's " + size + " bytes");
            }
            requireAligned(lane, address, bytes);
        }

        @Override
        void checkWrite(Warp warp, int lane, long address, int bytes, boolean atomic) {
            checkRead(warp, lane, address, bytes);
        }

        @Override
        long read(Warp warp, int lane, long address, int bytes) {
            return readBytes(warp.local(), position(warp, lane, address), bytes);
        }

        @Override
        void write(Warp warp, int lane, long address, int bytes, long value) {
            writeBytes(warp.local(), position(warp, lane, address), bytes, value);
        }

        private static int position(Warp warp, int lane, long address) {
            return lane * warp.block().launch().kernel().localBytes() + (int) address;
        }
    },
    GENERIC {
        @Override
        void checkRead(Warp warp, int lane, long address, int bytes) {
            spaceOf(address).checkRead(warp, lane, inSpace(address), bytes);
        }

        @Override
        void checkWrite(Warp warp, int lane, long address, int bytes, boolean atomic) {
            spaceOf(address).checkWrite(warp, lane, inSpace(address), bytes, atomic);
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
     * Checks that a lane may read.
     *
     * @throws LaneFault when it must not
     */
    abstract void checkRead(Warp warp, int lane, long address, int bytes);

    /**
     * Checks that a lane may write.
     *
     * @throws LaneFault when it must not
     */
    abstract void checkWrite(Warp warp, int lane, long address, int bytes, boolean atomic);

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

    private static int clampToInt(long address) {
        return address == (int) address ? (int) address : -1;
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
