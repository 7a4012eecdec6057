package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import java.lang.foreign.ValueLayout;

/** Functions that read and write one element; the access loops are specialized for each. */
final class ElementAccess {

    static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

    /** Reads up to 32 bits of global memory. */
    @FunctionalInterface
    interface GlobalReader {
        int read(long address);
    }

    /** Writes up to 32 bits of global memory. */
    @FunctionalInterface
    interface GlobalWriter {
        void write(long address, int value);
    }

    /** Reads 64 bits of global memory. */
    @FunctionalInterface
    interface GlobalLongReader {
        long read(long address);
    }

    /** Writes 64 bits of global memory. */
    @FunctionalInterface
    interface GlobalLongWriter {
        void write(long address, long value);
    }

    /** Reads up to 32 bits of shared memory. */
    @FunctionalInterface
    interface SharedReader {
        int read(byte[] memory, int address);
    }

    /** Writes up to 32 bits of shared memory. */
    @FunctionalInterface
    interface SharedWriter {
        void write(byte[] memory, int address, int value);
    }

    /** Reads 64 bits of shared memory. */
    @FunctionalInterface
    interface SharedLongReader {
        long read(byte[] memory, int address);
    }

    /** Writes 64 bits of shared memory. */
    @FunctionalInterface
    interface SharedLongWriter {
        void write(byte[] memory, int address, long value);
    }

    private ElementAccess() {}

    /** A value of a narrow type as a register of {@code registerBits} holds it: sign-extended if the type is signed. */
    static int extend(int value, PtxType type, int registerBits) {
        if (!type.isSigned() || type.bits() >= registerBits) {
            return value;
        }
        int unused = Integer.SIZE - type.bits();
        int extended = value << unused >> unused;
        return registerBits == Short.SIZE ? extended & 0xffff : extended;
    }

    /** A value of a type of up to 64 bits as a 64-bit register holds it. */
    static long extend(long value, PtxType type) {
        int unused = Long.SIZE - type.bits();
        return type.isSigned() ? value << unused >> unused : value << unused >>> unused;
    }

    static GlobalReader globalReader(PtxType type, int registerBits) {
        boolean toShort = registerBits == Short.SIZE;
        return switch (type.bits()) {
            case 8 -> type.isSigned() ? (toShort ? a -> byteAt(a) & 0xffff : a -> byteAt(a)) : a -> byteAt(a) & 0xff;
            case 16 ->
                type.isSigned() && !toShort
                        ? a -> GlobalMemory.EVERYTHING.get(SHORT, a)
                        : a -> GlobalMemory.EVERYTHING.get(SHORT, a) & 0xffff;
            default -> a -> GlobalMemory.EVERYTHING.get(INT, a);
        };
    }

    static GlobalWriter globalWriter(PtxType type) {
        return switch (type.bits()) {
            case 8 -> (a, value) -> GlobalMemory.EVERYTHING.set(ValueLayout.JAVA_BYTE, a, (byte) value);
            case 16 -> (a, value) -> GlobalMemory.EVERYTHING.set(SHORT, a, (short) value);
            default -> (a, value) -> GlobalMemory.EVERYTHING.set(INT, a, value);
        };
    }

    static SharedReader sharedReader(PtxType type, int registerBits) {
        boolean toShort = registerBits == Short.SIZE;
        return switch (type.bits()) {
            case 8 -> type.isSigned() ? (toShort ? (m, a) -> m[a] & 0xffff : (m, a) -> m[a]) : (m, a) -> m[a] & 0xff;
            case 16 ->
                type.isSigned() && !toShort
                        ? (m, a) -> (short) SharedMemory.SHORT.get(m, a)
                        : (m, a) -> (short) SharedMemory.SHORT.get(m, a) & 0xffff;
            default -> (m, a) -> (int) SharedMemory.INT.get(m, a);
        };
    }

    static SharedWriter sharedWriter(PtxType type) {
        return switch (type.bits()) {
            case 8 -> (m, a, value) -> m[a] = (byte) value;
            case 16 -> (m, a, value) -> SharedMemory.SHORT.set(m, a, (short) value);
            default -> (m, a, value) -> SharedMemory.INT.set(m, a, value);
        };
    }

    static GlobalLongReader globalLongReader(PtxType type) {
        return switch (type.bits()) {
            case 8 -> type.isSigned() ? a -> byteAt(a) : a -> byteAt(a) & 0xff;
            case 16 ->
                type.isSigned()
                        ? a -> GlobalMemory.EVERYTHING.get(SHORT, a)
                        : a -> GlobalMemory.EVERYTHING.get(SHORT, a) & 0xffff;
            case 32 ->
                type.isSigned()
                        ? a -> GlobalMemory.EVERYTHING.get(INT, a)
                        : a -> GlobalMemory.EVERYTHING.get(INT, a) & 0xffff_ffffL;
            default -> a -> GlobalMemory.EVERYTHING.get(LONG, a);
        };
    }

    static GlobalLongWriter globalLongWriter(PtxType type) {
        return switch (type.bits()) {
            case 8 -> (a, value) -> GlobalMemory.EVERYTHING.set(ValueLayout.JAVA_BYTE, a, (byte) value);
            case 16 -> (a, value) -> GlobalMemory.EVERYTHING.set(SHORT, a, (short) value);
            case 32 -> (a, value) -> GlobalMemory.EVERYTHING.set(INT, a, (int) value);
            default -> (a, value) -> GlobalMemory.EVERYTHING.set(LONG, a, value);
        };
    }

    static SharedLongReader sharedLongReader(PtxType type) {
        return switch (type.bits()) {
            case 8 -> type.isSigned() ? (m, a) -> m[a] : (m, a) -> m[a] & 0xff;
            case 16 ->
                type.isSigned()
                        ? (m, a) -> (short) SharedMemory.SHORT.get(m, a)
                        : (m, a) -> (short) SharedMemory.SHORT.get(m, a) & 0xffff;
            case 32 ->
                type.isSigned()
                        ? (m, a) -> (int) SharedMemory.INT.get(m, a)
                        : (m, a) -> (int) SharedMemory.INT.get(m, a) & 0xffff_ffffL;
            default -> (m, a) -> (long) SharedMemory.LONG.get(m, a);
        };
    }

    static SharedLongWriter sharedLongWriter(PtxType type) {
        return switch (type.bits()) {
            case 8 -> (m, a, value) -> m[a] = (byte) value;
            case 16 -> (m, a, value) -> SharedMemory.SHORT.set(m, a, (short) value);
            case 32 -> (m, a, value) -> SharedMemory.INT.set(m, a, (int) value);
            default -> (m, a, value) -> SharedMemory.LONG.set(m, a, value);
        };
    }

    private static byte byteAt(long address) {
        return GlobalMemory.EVERYTHING.get(ValueLayout.JAVA_BYTE, address);
    }
}
