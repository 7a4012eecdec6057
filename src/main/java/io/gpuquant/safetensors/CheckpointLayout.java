package io.gpuquant.safetensors;

import io.gpuquant.file.Quoted;
import java.nio.charset.CharsetEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The complete plan of an output checkpoint, made before any byte is written: the files, their headers, the place of
 * every tensor, and the index. Equal input gives equal bytes.
 *
 * <p>Tensors keep the order they are given in, and a new shard is begun when the next tensor would take the current one
 * past the limit. The format allows no holes, so nothing is padded for alignment: a tensor that comes after one of an odd
 * number of bytes starts at an odd offset. Readers of the format have to bear that; only the data section itself is
 * aligned, to eight bytes.
 */
public final class CheckpointLayout {

    /** The shard size of Hugging Face libraries: 5 GB. */
    public static final long DEFAULT_MAX_SHARD_BYTES = 5_000_000_000L;

    /** The metadata that transformers demands of a checkpoint. */
    public static final Map<String, String> DEFAULT_METADATA = Map.of("format", "pt");

    private record Place(ShardLayout shard, TensorInfo info) {}

    private final List<ShardLayout> shards;
    private final Map<String, Place> places = new HashMap<>();

    private CheckpointLayout(List<ShardLayout> shards) {
        this.shards = List.copyOf(shards);
        for (ShardLayout shard : shards) {
            for (TensorInfo info : shard.tensors()) {
                places.put(info.name(), new Place(shard, info));
            }
        }
    }

    /** Plans a checkpoint with the usual metadata and shard size. */
    public static CheckpointLayout of(List<TensorSpec> tensors) {
        return of(tensors, DEFAULT_METADATA, DEFAULT_MAX_SHARD_BYTES);
    }

    /**
     * Plans a checkpoint.
     *
     * @param tensors in the order in which they are to be stored
     * @param metadata what every file has under {@code __metadata__}; stored sorted by key
     * @param maxShardBytes tensor bytes that a shard may have, unless it is a single larger tensor
     * @throws IllegalArgumentException when two tensors have the same name, a name or metadata is not valid Unicode or is
     *     reserved, a tensor does not fill whole bytes, a limit is not positive, or a header exceeds what readers accept
     */
    public static CheckpointLayout of(List<TensorSpec> tensors, Map<String, String> metadata, long maxShardBytes) {
        if (maxShardBytes <= 0) {
            throw new IllegalArgumentException("a shard of at most " + maxShardBytes + " bytes");
        }
        requireNames(tensors);
        requireUnicode(metadata);
        SortedMap<String, String> sortedMetadata = new TreeMap<>(metadata);
        List<List<TensorInfo>> parts = split(tensors, maxShardBytes);
        List<ShardLayout> shards = new ArrayList<>();
        for (int i = 0; i < parts.size(); i++) {
            shards.add(new ShardLayout(fileName(i + 1, parts.size()), parts.get(i), sortedMetadata));
        }
        return new CheckpointLayout(shards);
    }

    /** The files in the order of their names. */
    public List<ShardLayout> shards() {
        return shards;
    }

    /** The tensors in the order of the plan. */
    public List<TensorInfo> tensors() {
        return shards.stream().flatMap(shard -> shard.tensors().stream()).toList();
    }

    /** Whether the plan has a tensor of this name. */
    public boolean contains(String name) {
        return places.containsKey(name);
    }

    /**
     * The tensor of this name, with its place in its shard.
     *
     * @throws IllegalArgumentException when the plan has none
     */
    public TensorInfo info(String name) {
        return place(name).info();
    }

    /**
     * The file that gets the tensor of this name.
     *
     * @throws IllegalArgumentException when the plan has no such tensor
     */
    public ShardLayout shardOf(String name) {
        return place(name).shard();
    }

    /** Bytes of the elements of all tensors. */
    public long totalBytes() {
        return shards.stream().mapToLong(ShardLayout::dataBytes).sum();
    }

    /** Bytes of all files but the index: what the disk must have free. */
    public long fileBytes() {
        return shards.stream().mapToLong(ShardLayout::fileBytes).sum();
    }

    /** The text of {@code model.safetensors.index.json}; a checkpoint of a single file has none. */
    public Optional<String> indexText() {
        if (shards.size() == 1) {
            return Optional.empty();
        }
        SortedMap<String, String> weightMap = new TreeMap<>();
        places.forEach((name, place) -> weightMap.put(name, place.shard().fileName()));
        return Optional.of(ShardIndex.text(totalBytes(), weightMap));
    }

    private Place place(String name) {
        Place place = places.get(name);
        if (place == null) {
            throw new IllegalArgumentException("the layout has no tensor " + Quoted.text(name));
        }
        return place;
    }

    private static List<List<TensorInfo>> split(List<TensorSpec> tensors, long maxShardBytes) {
        List<List<TensorInfo>> parts = new ArrayList<>();
        List<TensorInfo> part = new ArrayList<>();
        parts.add(part);
        long end = 0;
        for (TensorSpec tensor : tensors) {
            long bytes = tensor.byteSize();
            if (end > 0 && bytes > 0 && bytes > maxShardBytes - end) {
                part = new ArrayList<>();
                parts.add(part);
                end = 0;
            }
            part.add(new TensorInfo(tensor.name(), tensor.dtype(), tensor.shape(), end, bytes));
            end += bytes;
        }
        return parts;
    }

    private static String fileName(int number, int count) {
        return count == 1
                ? Checkpoint.SINGLE_FILE
                : String.format(Locale.ROOT, "model-%05d-of-%05d.safetensors", number, count);
    }

    private static void requireNames(List<TensorSpec> tensors) {
        Map<String, TensorSpec> seen = new HashMap<>();
        CharsetEncoder encoder = StandardCharsets.UTF_8.newEncoder();
        for (TensorSpec tensor : tensors) {
            String name = tensor.name();
            if (name.equals(HeaderParser.METADATA_KEY) || !encoder.canEncode(name)) {
                throw new IllegalArgumentException("not a name for a tensor: " + Quoted.text(name));
            }
            if (seen.put(name, tensor) != null) {
                throw new IllegalArgumentException("two tensors are called " + Quoted.text(name));
            }
        }
    }

    private static void requireUnicode(Map<String, String> metadata) {
        CharsetEncoder encoder = StandardCharsets.UTF_8.newEncoder();
        metadata.forEach((key, value) -> {
            if (!encoder.canEncode(key) || !encoder.canEncode(value)) {
                throw new IllegalArgumentException("metadata is not valid Unicode: " + Quoted.text(key));
            }
        });
    }
}
