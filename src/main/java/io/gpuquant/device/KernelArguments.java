package io.gpuquant.device;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** The arguments of one launch, in the order of the kernel's parameters. */
public final class KernelArguments {

    /** The PTX parameter types that kernels take. */
    public enum Kind {
        /** {@code .u64}: a device address. */
        ADDRESS(8),
        /** {@code .u64}: a count. */
        INT64(8),
        /** {@code .u32} or {@code .s32}. */
        INT32(4),
        /** {@code .f32}. */
        FLOAT32(4);

        private final int bytes;

        Kind(int bytes) {
            this.bytes = bytes;
        }

        /** Bytes of a parameter of this kind, which are its alignment too. */
        public int bytes() {
            return bytes;
        }
    }

    /**
     * One argument.
     *
     * @param bits the value, in the low bits
     */
    public record Argument(Kind kind, long bits) {}

    private final List<Argument> arguments = new ArrayList<>();

    /** Appends the address of a matrix. */
    public KernelArguments matrix(DeviceMatrix matrix) {
        return address(matrix.address());
    }

    /** Appends a device address; zero stands for an absent optional operand. */
    public KernelArguments address(long address) {
        arguments.add(new Argument(Kind.ADDRESS, address));
        return this;
    }

    /** Appends a 32-bit integer. */
    public KernelArguments int32(int value) {
        arguments.add(new Argument(Kind.INT32, Integer.toUnsignedLong(value)));
        return this;
    }

    /** Appends a 64-bit integer. */
    public KernelArguments int64(long value) {
        arguments.add(new Argument(Kind.INT64, value));
        return this;
    }

    /** Appends a float. */
    public KernelArguments float32(float value) {
        arguments.add(new Argument(Kind.FLOAT32, Integer.toUnsignedLong(Float.floatToRawIntBits(value))));
        return this;
    }

    /** The arguments in order. */
    public List<Argument> list() {
        return List.copyOf(arguments);
    }

    /** The parameter block: each argument at its natural alignment, as PTX lays parameters out. */
    public byte[] toParameterBlock() {
        int size = 0;
        for (Argument argument : arguments) {
            size = align(size, argument.kind().bytes()) + argument.kind().bytes();
        }
        ByteBuffer block = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        for (Argument argument : arguments) {
            block.position(align(block.position(), argument.kind().bytes()));
            if (argument.kind().bytes() == Long.BYTES) {
                block.putLong(argument.bits());
            } else {
                block.putInt((int) argument.bits());
            }
        }
        return block.array();
    }

    private static int align(int offset, int alignment) {
        return (offset + alignment - 1) & -alignment;
    }
}
