package io.gpuquant.safetensors;

import io.gpuquant.InputException;
import io.gpuquant.file.Quoted;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Parses one header and believes nothing in it before it is checked. */
final class HeaderParser {

    static final String METADATA_KEY = "__metadata__";

    private static final int MOST_DIMENSIONS = 64;
    private static final MemorySegment LFS_POINTER =
            MemorySegment.ofArray("version https://git-lfs".getBytes(StandardCharsets.US_ASCII));

    private final MemorySegment file;
    private final Path path;

    HeaderParser(MemorySegment file, Path path) {
        this.file = file;
        this.path = path;
    }

    SafetensorsHeader parse() {
        long headerBytes = headerBytes();
        long dataStart = SafetensorsHeader.LENGTH_BYTES + headerBytes;
        long dataBytes = file.byteSize() - dataStart;
        MemorySegment text = file.asSlice(SafetensorsHeader.LENGTH_BYTES, headerBytes);
        Map<String, String> metadata = new LinkedHashMap<>();
        List<TensorInfo> tensors = new ArrayList<>();
        try (StrictJson json = new StrictJson(text, "its header", this::damaged)) {
            json.startObject("its header");
            Set<String> names = new HashSet<>();
            for (String name = json.nextKey(names, "its header");
                    name != null;
                    name = json.nextKey(names, "its header")) {
                if (name.equals(METADATA_KEY)) {
                    readMetadata(json, metadata);
                } else {
                    tensors.add(readTensor(json, name, dataBytes));
                }
            }
            json.end();
        }
        tensors.sort(Comparator.comparingLong(TensorInfo::offset).thenComparingLong(TensorInfo::end));
        checkCoverage(tensors, dataBytes);
        return new SafetensorsHeader(metadata, tensors, dataStart);
    }

    private long headerBytes() {
        long size = file.byteSize();
        if (size == 0) {
            throw damaged("it is empty", null);
        }
        if (size > LFS_POINTER.byteSize()
                && file.asSlice(0, LFS_POINTER.byteSize()).mismatch(LFS_POINTER) < 0) {
            throw new InputException(
                    path + " is a Git LFS pointer and not the file itself; run 'git lfs pull' beside it");
        }
        if (size < SafetensorsHeader.LENGTH_BYTES) {
            throw damaged("its " + size + " bytes are less than the 8 of the header length", null);
        }
        long headerBytes = file.get(Elements.LONG, 0);
        if (headerBytes < 0 || headerBytes > SafetensorsHeader.MAX_BYTES) {
            throw damaged(
                    "its header would have " + Long.toUnsignedString(headerBytes) + " bytes, and "
                            + SafetensorsHeader.MAX_BYTES + " are allowed",
                    null);
        }
        if (headerBytes > size - SafetensorsHeader.LENGTH_BYTES) {
            throw damaged(
                    "its header has " + headerBytes + " bytes, but the file ends after "
                            + (size - SafetensorsHeader.LENGTH_BYTES) + " of them",
                    null);
        }
        return headerBytes;
    }

    private static void readMetadata(StrictJson json, Map<String, String> metadata) {
        json.startObject(METADATA_KEY);
        Set<String> keys = new HashSet<>();
        for (String key = json.nextKey(keys, METADATA_KEY); key != null; key = json.nextKey(keys, METADATA_KEY)) {
            metadata.put(key, json.string(METADATA_KEY + " entry " + Quoted.text(key)));
        }
    }

    private TensorInfo readTensor(StrictJson json, String name, long dataBytes) {
        String where = "tensor " + Quoted.text(name);
        DType dtype = null;
        Shape shape = null;
        long[] offsets = null;
        json.startObject(where);
        Set<String> keys = new HashSet<>();
        for (String key = json.nextKey(keys, where); key != null; key = json.nextKey(keys, where)) {
            switch (key) {
                case "dtype" -> dtype = readDType(json, where);
                case "shape" -> shape = readShape(json, where);
                case "data_offsets" -> offsets = readOffsets(json, where);
                default -> throw json.fail(where + " has the unknown key " + Quoted.text(key));
            }
        }
        if (dtype == null || shape == null || offsets == null) {
            throw json.fail(where + " lacks "
                    + (dtype == null ? "its dtype" : shape == null ? "its shape" : "its data_offsets"));
        }
        long byteSize = byteSize(dtype, shape, where);
        if (offsets[1] > dataBytes) {
            throw json.fail(where + " ends at byte " + offsets[1] + " of the data, and the file has only " + dataBytes);
        }
        if (offsets[1] - offsets[0] != byteSize) {
            throw json.fail(where + " is " + dtype + shape + " of " + byteSize + " bytes, but its data_offsets "
                    + Arrays.toString(offsets) + " hold " + (offsets[1] - offsets[0]));
        }
        return new TensorInfo(name, dtype, shape, offsets[0], byteSize);
    }

    private DType readDType(StrictJson json, String where) {
        String name = json.string(where + ": dtype");
        return DType.named(name).orElseThrow(() -> json.fail(where + " has the unknown dtype " + Quoted.text(name)));
    }

    private static Shape readShape(StrictJson json, String where) {
        long[] extents = new long[MOST_DIMENSIONS];
        int rank = json.counts(extents, where + ": shape");
        return Shape.of(Arrays.copyOf(extents, rank));
    }

    private static long[] readOffsets(StrictJson json, String where) {
        long[] offsets = new long[2];
        int count = json.counts(offsets, where + ": data_offsets");
        if (count != 2) {
            throw json.fail(where + ": data_offsets has " + count + " of 2 numbers");
        }
        return offsets;
    }

    private long byteSize(DType dtype, Shape shape, String where) {
        long elements;
        try {
            elements = shape.elementCount();
            // The byte count overflows exactly where eight times fewer bits would; asked here to tell the two faults
            // apart.
            Math.multiplyExact(elements, (long) dtype.bits());
        } catch (ArithmeticException e) {
            throw damaged(where + " is too large for any file: " + dtype + shape, e);
        }
        if (elements * dtype.bits() % 8 != 0) {
            throw damaged(where + " does not fill whole bytes: " + dtype + shape, null);
        }
        return dtype.bytes(elements);
    }

    /** The tensors, in the order of their offsets, must fill the data section: no overlap, no hole, no remainder. */
    private void checkCoverage(List<TensorInfo> tensors, long dataBytes) {
        long end = 0;
        String before = "the start of the data";
        for (TensorInfo tensor : tensors) {
            String name = "tensor " + Quoted.text(tensor.name());
            if (tensor.offset() < end) {
                throw damaged(name + " overlaps " + before, null);
            }
            if (tensor.offset() > end) {
                throw damaged(
                        "bytes " + end + " to " + tensor.offset() + " of its data, between " + before + " and " + name
                                + ", belong to no tensor",
                        null);
            }
            end = tensor.end();
            before = name;
        }
        if (end != dataBytes) {
            throw damaged("its last " + (dataBytes - end) + " bytes, after " + before + ", belong to no tensor", null);
        }
    }

    private InputException damaged(String reason, @Nullable Throwable cause) {
        return new InputException(
                path + " is not a valid safetensors file: " + reason + "; download or export it again", cause);
    }
}
