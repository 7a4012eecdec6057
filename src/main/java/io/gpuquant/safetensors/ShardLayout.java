package io.gpuquant.safetensors;

import com.fasterxml.jackson.core.JsonEncoding;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.gpuquant.tensor.Elements;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;

/** One file of an output checkpoint: its name, its complete header, and where each tensor goes. */
public final class ShardLayout {

    private static final int ALIGNMENT = 8;
    private static final JsonFactory JSON = new JsonFactory();

    private final String fileName;
    private final List<TensorInfo> tensors;
    private final byte[] header;

    /** The tensors must follow each other without a hole. */
    ShardLayout(String fileName, List<TensorInfo> tensors, SortedMap<String, String> metadata) {
        this.fileName = fileName;
        this.tensors = List.copyOf(tensors);
        this.header = header(this.tensors, metadata);
    }

    /** The name of the file inside the checkpoint folder. */
    public String fileName() {
        return fileName;
    }

    /** The tensors in the order of their offsets. */
    public List<TensorInfo> tensors() {
        return tensors;
    }

    /** The bytes in front of the data section: the length field, the JSON, and spaces up to a multiple of eight bytes. */
    public byte[] header() {
        return header.clone();
    }

    /** The first byte of the data section, counted from the start of the file. */
    public long dataStart() {
        return header.length;
    }

    /** Bytes of the data section. */
    public long dataBytes() {
        return tensors.isEmpty() ? 0 : tensors.getLast().end();
    }

    /** Bytes of the whole file. */
    public long fileBytes() {
        return dataStart() + dataBytes();
    }

    private static byte[] header(List<TensorInfo> tensors, SortedMap<String, String> metadata) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.writeBytes(new byte[SafetensorsHeader.LENGTH_BYTES]);
        try (JsonGenerator json = JSON.createGenerator(bytes, JsonEncoding.UTF8)) {
            json.writeStartObject();
            writeMetadata(json, metadata);
            for (TensorInfo tensor : tensors) {
                writeTensor(json, tensor);
            }
            json.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory does no I/O", e);
        }
        int length = bytes.size();
        byte[] header = Arrays.copyOf(bytes.toByteArray(), Math.ceilDiv(length, ALIGNMENT) * ALIGNMENT);
        Arrays.fill(header, length, header.length, (byte) ' ');
        int jsonBytes = header.length - SafetensorsHeader.LENGTH_BYTES;
        if (jsonBytes > SafetensorsHeader.MAX_BYTES) {
            throw new IllegalArgumentException("a header of " + jsonBytes + " bytes, which no reader accepts");
        }
        MemorySegment.ofArray(header).set(Elements.LONG, 0, jsonBytes);
        return header;
    }

    private static void writeMetadata(JsonGenerator json, SortedMap<String, String> metadata) throws IOException {
        if (metadata.isEmpty()) {
            return;
        }
        json.writeObjectFieldStart(HeaderParser.METADATA_KEY);
        for (Map.Entry<String, String> entry : metadata.entrySet()) {
            json.writeStringField(entry.getKey(), entry.getValue());
        }
        json.writeEndObject();
    }

    private static void writeTensor(JsonGenerator json, TensorInfo tensor) throws IOException {
        json.writeObjectFieldStart(tensor.name());
        json.writeStringField("dtype", tensor.dtype().name());
        json.writeFieldName("shape");
        writeNumbers(json, tensor.shape().extents());
        json.writeFieldName("data_offsets");
        writeNumbers(json, tensor.offset(), tensor.end());
        json.writeEndObject();
    }

    private static void writeNumbers(JsonGenerator json, long... numbers) throws IOException {
        json.writeArray(numbers, 0, numbers.length);
    }
}
