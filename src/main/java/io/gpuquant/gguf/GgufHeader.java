package io.gpuquant.gguf;

import io.gpuquant.InputException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The checked header of a GGUF file of version 2 or 3: what ggml's own reader refuses is refused.
 *
 * @param metadata in the order of the file
 * @param tensors in the order of the file, which is that of their data
 * @param dataStart where the data section starts in the file
 */
public record GgufHeader(Map<String, GgufValue> metadata, List<GgufTensor> tensors, long dataStart) {

    static final int MAGIC = 0x46554747; // "GGUF"
    static final int VERSION = 3;
    static final int DEFAULT_ALIGNMENT = 32;
    static final String ALIGNMENT_KEY = "general.alignment";

    /** A name and the zero byte that ggml puts after it. */
    static final int NAME_BYTES = 64;

    static final int MOST_DIMENSIONS = 4;

    /** A name of no bytes, a count of dimensions, one extent, a type and an offset. */
    private static final int LEAST_TENSOR_BYTES = 8 + 4 + 8 + 4 + 8;

    /** An empty key, a type and one byte. */
    private static final int LEAST_ENTRY_BYTES = 8 + 4 + 1;

    public GgufHeader {
        metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
        tensors = List.copyOf(tensors);
    }

    /**
     * Reads a header and checks it against the size of the file.
     *
     * @throws InputException when it is damaged, or of a version or with a type that is not known
     */
    static GgufHeader parse(MemorySegment bytes, Path file) {
        HeaderCursor cursor = new HeaderCursor(bytes, file);
        requireVersion(cursor, bytes, file);
        int tensorCount = cursor.count(LEAST_TENSOR_BYTES, "the number of tensors");
        int entryCount = cursor.count(LEAST_ENTRY_BYTES, "the number of metadata entries");
        Map<String, GgufValue> metadata = metadata(cursor, entryCount);
        int alignment = alignment(cursor, metadata);
        List<GgufTensor> tensors = tensors(cursor, tensorCount, alignment);
        long dataStart = tensors.isEmpty() ? cursor.position() : padded(cursor.position(), alignment);
        if (!tensors.isEmpty()) {
            GgufTensor last = tensors.getLast();
            long end = dataStart + last.offset() + last.byteSize();
            if (end > bytes.byteSize()) {
                throw new InputException(file + " ends at byte " + bytes.byteSize() + ", but its tensor "
                        + HeaderCursor.quoted(last.name()) + " would end at byte " + end + "; get the file again");
            }
        }
        return new GgufHeader(metadata, tensors, dataStart);
    }

    private static void requireVersion(HeaderCursor cursor, MemorySegment bytes, Path file) {
        if (bytes.byteSize() < 4 || cursor.int32("the magic number") != MAGIC) {
            throw new InputException(
                    file + " is no GGUF file (it does not start with GGUF); give one that llama.cpp" + " loads");
        }
        int version = cursor.int32("the version");
        if (version != 2 && version != VERSION) {
            throw new InputException(file + " is of GGUF version " + Integer.toUnsignedString(version)
                    + ((version & 0xffff) == 0 ? ", written for a machine of the other byte order" : "")
                    + "; gpuquant reads versions 2 and 3");
        }
    }

    private static Map<String, GgufValue> metadata(HeaderCursor cursor, int count) {
        Map<String, GgufValue> metadata = new LinkedHashMap<>();
        for (int i = 0; i < count; i++) {
            String key = cursor.text("a metadata key");
            if (key.isEmpty()) {
                throw cursor.refuse("a metadata key is empty");
            }
            String what = "the value of " + HeaderCursor.quoted(key);
            if (metadata.put(key, value(cursor, type(cursor, what), what)) != null) {
                throw cursor.refuse("the metadata key " + HeaderCursor.quoted(key) + " is there twice");
            }
        }
        return metadata;
    }

    private static GgufType type(HeaderCursor cursor, String what) {
        int id = cursor.int32("the type of " + what);
        return GgufType.of(id)
                .orElseThrow(() -> cursor.refuse(
                        what + " has the type " + Integer.toUnsignedString(id) + ", which does not exist"));
    }

    private static GgufValue value(HeaderCursor cursor, GgufType type, String what) {
        return switch (type) {
            case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 ->
                new GgufValue.Whole(type, whole(cursor, type, what));
            case FLOAT32, FLOAT64 -> new GgufValue.Real(type, real(cursor, type, what));
            case BOOL -> new GgufValue.Flag(flag(cursor, what));
            case STRING -> new GgufValue.Text(cursor.text(what));
            case ARRAY -> array(cursor, what);
        };
    }

    private static GgufValue array(HeaderCursor cursor, String what) {
        GgufType type = type(cursor, what);
        if (type == GgufType.ARRAY) {
            throw cursor.refuse(what + " is an array of arrays, which GGUF readers do not take");
        }
        int count = cursor.count(type.leastBytes(), "the length of " + what);
        List<Object> elements = new ArrayList<>(Math.min(count, 1 << 16));
        for (int i = 0; i < count; i++) {
            elements.add(element(cursor, type, what));
        }
        return new GgufValue.Array(type, elements);
    }

    private static Object element(HeaderCursor cursor, GgufType type, String what) {
        return switch (type) {
            case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 -> whole(cursor, type, what);
            case FLOAT32, FLOAT64 -> real(cursor, type, what);
            case BOOL -> flag(cursor, what);
            case STRING -> cursor.text(what);
            case ARRAY -> throw new IllegalStateException();
        };
    }

    private static long whole(HeaderCursor cursor, GgufType type, String what) {
        return switch (type) {
            case UINT8 -> cursor.uint8(what);
            case INT8 -> (byte) cursor.uint8(what);
            case UINT16 -> cursor.int16(what) & 0xffff;
            case INT16 -> cursor.int16(what);
            case UINT32 -> Integer.toUnsignedLong(cursor.int32(what));
            case INT32 -> cursor.int32(what);
            case UINT64, INT64 -> cursor.int64(what);
            case FLOAT32, FLOAT64, BOOL, STRING, ARRAY -> throw new IllegalStateException();
        };
    }

    private static double real(HeaderCursor cursor, GgufType type, String what) {
        return type == GgufType.FLOAT32
                ? Float.intBitsToFloat(cursor.int32(what))
                : Double.longBitsToDouble(cursor.int64(what));
    }

    private static boolean flag(HeaderCursor cursor, String what) {
        int value = cursor.uint8(what);
        if (value > 1) {
            throw cursor.refuse(what + " is " + value + ", neither true nor false");
        }
        return value == 1;
    }

    private static int alignment(HeaderCursor cursor, Map<String, GgufValue> metadata) {
        GgufValue value = metadata.get(ALIGNMENT_KEY);
        if (value == null) {
            return DEFAULT_ALIGNMENT;
        }
        if (value instanceof GgufValue.Whole(GgufType type, long alignment)
                && type == GgufType.UINT32
                && Long.bitCount(alignment) == 1
                && alignment <= 1 << 30) {
            return (int) alignment;
        }
        throw cursor.refuse(ALIGNMENT_KEY + " is no power of two of 32 bits");
    }

    private static List<GgufTensor> tensors(HeaderCursor cursor, int count, int alignment) {
        List<GgufTensor> tensors = new ArrayList<>();
        Set<String> names = new HashSet<>();
        long expected = 0;
        for (int i = 0; i < count; i++) {
            GgufTensor tensor = tensor(cursor);
            String quoted = HeaderCursor.quoted(tensor.name());
            if (!names.add(tensor.name())) {
                throw cursor.refuse("the tensor " + quoted + " is there twice");
            }
            if (tensor.offset() != expected) {
                throw cursor.refuse("the tensor " + quoted + " has the offset " + Long.toUnsignedString(tensor.offset())
                        + ", but the tensors before it end at " + expected);
            }
            try {
                expected = Math.addExact(expected, padded(tensor.byteSize(), alignment));
            } catch (ArithmeticException e) {
                throw cursor.refuse("the tensor " + quoted + " is too large");
            }
            tensors.add(tensor);
        }
        return tensors;
    }

    private static GgufTensor tensor(HeaderCursor cursor) {
        String name = cursor.text("the name of a tensor");
        String quoted = HeaderCursor.quoted(name);
        if (name.getBytes(StandardCharsets.UTF_8).length >= NAME_BYTES) {
            throw cursor.refuse("the tensor name " + quoted + " has " + NAME_BYTES + " bytes or more");
        }
        int dimensions = cursor.int32("the number of dimensions of " + quoted);
        if (dimensions < 1 || dimensions > MOST_DIMENSIONS) {
            throw cursor.refuse("the tensor " + quoted + " has " + Integer.toUnsignedString(dimensions)
                    + " dimensions; there can be 1 to " + MOST_DIMENSIONS);
        }
        List<Long> extents = new ArrayList<>();
        for (int i = 0; i < dimensions; i++) {
            long extent = cursor.int64("the shape of " + quoted);
            if (extent < 1) {
                throw cursor.refuse("the tensor " + quoted + " has the extent " + extent);
            }
            extents.add(extent);
        }
        int id = cursor.int32("the type of " + quoted);
        GgmlType type = GgmlType.withId(id)
                .orElseThrow(() -> cursor.refuse("the tensor " + quoted + " has the type "
                        + Integer.toUnsignedString(id) + ", which gpuquant does not know"));
        if (extents.getFirst() % type.blockSize() != 0) {
            throw cursor.refuse("the tensor " + quoted + " has rows of " + extents.getFirst()
                    + " elements, which the blocks of " + type.blockSize() + " of " + type + " do not divide");
        }
        GgufTensor tensor = new GgufTensor(name, type, extents, cursor.int64("the offset of " + quoted));
        try {
            // So that sizes can be computed without a second thought from here on.
            Math.addExact(tensor.byteSize(), Math.multiplyExact(tensor.elements(), 8L));
        } catch (ArithmeticException e) {
            throw cursor.refuse("the tensor " + quoted + " of shape " + tensor.shape() + " is too large");
        }
        return tensor;
    }

    /** The next multiple of the alignment, a power of two. */
    static long padded(long bytes, long alignment) {
        return Math.addExact(bytes, alignment - 1) & -alignment;
    }
}
