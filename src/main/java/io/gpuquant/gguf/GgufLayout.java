package io.gpuquant.gguf;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Every byte of a GGUF file but its tensors' content, fixed before the first is written. */
public final class GgufLayout {

    private final GgufHeader header;
    private final byte[] headerBytes;
    private final long fileBytes;
    private final Map<String, GgufTensor> byName = new HashMap<>();

    private GgufLayout(GgufHeader header, byte[] headerBytes, long fileBytes) {
        this.header = header;
        this.headerBytes = headerBytes;
        this.fileBytes = fileBytes;
        header.tensors().forEach(tensor -> byName.put(tensor.name(), tensor));
    }

    /** A tensor that will be in the file; extents innermost first. */
    public record Spec(String name, GgmlType type, List<Long> extents) {

        public Spec {
            extents = List.copyOf(extents);
            if (name.getBytes(StandardCharsets.UTF_8).length >= GgufHeader.NAME_BYTES
                    || extents.isEmpty()
                    || extents.size() > GgufHeader.MOST_DIMENSIONS
                    || extents.stream().anyMatch(extent -> extent < 1)
                    || extents.getFirst() % type.blockSize() != 0) {
                throw new IllegalArgumentException(name + " of " + type + " " + extents);
            }
        }

        /** Bytes of the tensor. */
        public long byteSize() {
            return new GgufTensor(name, type, extents, 0).byteSize();
        }
    }

    /**
     * Lays out a file of version 3 with the default alignment of 32 bytes. Data follows in the order of the tensors, each
     * padded to the alignment, the last one too.
     */
    public static GgufLayout of(Map<String, GgufValue> metadata, List<Spec> specs) {
        List<GgufTensor> tensors = new ArrayList<>();
        long offset = 0;
        for (Spec spec : specs) {
            GgufTensor tensor = new GgufTensor(spec.name(), spec.type(), spec.extents(), offset);
            tensors.add(tensor);
            offset += GgufHeader.padded(tensor.byteSize(), GgufHeader.DEFAULT_ALIGNMENT);
        }
        byte[] header = encode(metadata, tensors);
        return new GgufLayout(new GgufHeader(metadata, tensors, header.length), header, header.length + offset);
    }

    /** What a reader will find. */
    public GgufHeader header() {
        return header;
    }

    /** Bytes of the file. */
    public long fileBytes() {
        return fileBytes;
    }

    byte[] headerBytes() {
        return headerBytes.clone();
    }

    /** Where a tensor's first byte lies in the file. */
    long position(GgufTensor tensor) {
        return headerBytes.length + tensor.offset();
    }

    /** The tensor of this name. */
    public GgufTensor tensor(String name) {
        GgufTensor tensor = byName.get(name);
        if (tensor == null) {
            throw new IllegalArgumentException("no tensor " + name);
        }
        return tensor;
    }

    private static byte[] encode(Map<String, GgufValue> metadata, List<GgufTensor> tensors) {
        Encoder out = new Encoder();
        out.int32(GgufHeader.MAGIC);
        out.int32(GgufHeader.VERSION);
        out.int64(tensors.size());
        out.int64(metadata.size());
        metadata.forEach((key, value) -> {
            out.text(key);
            out.int32(value.type().id());
            out.value(value);
        });
        for (GgufTensor tensor : tensors) {
            out.text(tensor.name());
            out.int32(tensor.extents().size());
            tensor.extents().forEach(out::int64);
            out.int32(tensor.type().id());
            out.int64(tensor.offset());
        }
        if (!tensors.isEmpty()) {
            out.pad(GgufHeader.DEFAULT_ALIGNMENT);
        }
        return out.bytes();
    }

    /** Little-endian numbers and texts, one after another. */
    private static final class Encoder {

        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        void int8(long value) {
            out.write((int) value);
        }

        void int16(long value) {
            put(2, buffer -> buffer.putShort((short) value));
        }

        void int32(long value) {
            put(4, buffer -> buffer.putInt((int) value));
        }

        void int64(long value) {
            put(8, buffer -> buffer.putLong(value));
        }

        void text(String value) {
            byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
            int64(utf8.length);
            out.writeBytes(utf8);
        }

        void value(GgufValue value) {
            switch (value) {
                case GgufValue.Whole whole -> element(whole.type(), whole.value());
                case GgufValue.Real real -> element(real.type(), real.value());
                case GgufValue.Flag flag -> element(GgufType.BOOL, flag.value());
                case GgufValue.Text text -> text(text.value());
                case GgufValue.Array array -> {
                    int32(array.elementType().id());
                    int64(array.elements().size());
                    array.elements().forEach(element -> element(array.elementType(), element));
                }
            }
        }

        private void element(GgufType type, Object value) {
            switch (type) {
                case UINT8, INT8 -> int8((Long) value);
                case UINT16, INT16 -> int16((Long) value);
                case UINT32, INT32 -> int32((Long) value);
                case UINT64, INT64 -> int64((Long) value);
                case FLOAT32 -> int32(Float.floatToRawIntBits((float) (double) (Double) value));
                case FLOAT64 -> int64(Double.doubleToRawLongBits((Double) value));
                case BOOL -> int8((Boolean) value ? 1 : 0);
                case STRING -> text((String) value);
                case ARRAY -> throw new IllegalStateException();
            }
        }

        void pad(int alignment) {
            while (out.size() % alignment != 0) {
                out.write(0);
            }
        }

        private void put(int bytes, Consumer<ByteBuffer> content) {
            ByteBuffer buffer = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
            content.accept(buffer);
            out.writeBytes(buffer.array());
        }

        byte[] bytes() {
            return out.toByteArray();
        }
    }
}
