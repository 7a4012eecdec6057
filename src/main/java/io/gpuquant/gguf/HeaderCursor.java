package io.gpuquant.gguf;

import io.gpuquant.InputException;
import io.gpuquant.file.Quoted;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Walks through an untrusted header. Nothing is read beyond the end of the file, and nothing is allocated that the file has no bytes for. */
final class HeaderCursor {

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment bytes;
    private final Path file;
    private long position;

    HeaderCursor(MemorySegment bytes, Path file) {
        this.bytes = bytes;
        this.file = file;
    }

    long position() {
        return position;
    }

    int uint8(String what) {
        return Byte.toUnsignedInt(bytes.get(ValueLayout.JAVA_BYTE, advance(1, what)));
    }

    int int16(String what) {
        return bytes.get(SHORT, advance(2, what));
    }

    int int32(String what) {
        return bytes.get(INT, advance(4, what));
    }

    long int64(String what) {
        return bytes.get(LONG, advance(8, what));
    }

    /** A number of things that take at least {@code leastBytes} each. */
    int count(int leastBytes, String what) {
        long count = int64(what);
        long most = Math.min((bytes.byteSize() - position) / leastBytes, Integer.MAX_VALUE - 8);
        if (count < 0 || count > most) {
            throw refuse(what + " is " + Long.toUnsignedString(count) + ", more than the file has room for");
        }
        return (int) count;
    }

    String text(String what) {
        return text(count(1, "the length of " + what), what);
    }

    String text(int length, String what) {
        if (length < 0) {
            throw refuse("the length of " + what + " is " + length);
        }
        if (length > bytes.byteSize() - position) {
            throw refuse("it ends within " + what);
        }
        byte[] utf8 = new byte[length];
        MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, advance(length, what), utf8, 0, length);
        // Tokens of foreign vocabularies are not always valid; they are read as llama.cpp would show them.
        return new String(utf8, StandardCharsets.UTF_8);
    }

    /** A count of 32 bits, and as many floats. */
    float[] floats(String what) {
        int count = int32("the number of " + what);
        if (count < 0 || count > (bytes.byteSize() - position) / Float.BYTES) {
            throw refuse("it ends within " + what);
        }
        float[] values = new float[count];
        MemorySegment.copy(bytes, FLOAT, advance((long) count * Float.BYTES, what), values, 0, count);
        return values;
    }

    /** The position before some bytes, which are passed over. */
    private long advance(long count, String what) {
        if (count > bytes.byteSize() - position) {
            throw refuse("it ends within " + what);
        }
        long before = position;
        position += count;
        return before;
    }

    /** Says where the header is wrong. */
    InputException refuse(String problem) {
        return new InputException(file + " is damaged at byte " + position + ": " + problem + "; get the file again");
    }

    /** A name from the file, for a message. */
    static String quoted(String name) {
        return Quoted.text(name);
    }
}
