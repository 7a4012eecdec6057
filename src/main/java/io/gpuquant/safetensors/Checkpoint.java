package io.gpuquant.safetensors;

import io.gpuquant.InputException;
import io.gpuquant.file.MappedFile;
import io.gpuquant.file.Quoted;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * All tensors of a checkpoint folder: those of {@code model.safetensors}, or of the shards that
 * {@code model.safetensors.index.json} names. Where both are there the single file is taken, as transformers does. A
 * tensor that is in a shard but not in the index belongs to the checkpoint: loaders read whole shards.
 *
 * <p>Usable from several threads; tensors may not be touched after {@link #close}.
 */
public final class Checkpoint implements AutoCloseable {

    static final String SINGLE_FILE = "model.safetensors";

    private record Entry(
            TensorInfo info, SafetensorsFile file, @Nullable Supplier<MemorySegment> derived) {

        Entry(TensorInfo info, SafetensorsFile file) {
            this(info, file, null);
        }
    }

    /**
     * A tensor that is computed from others when it is asked for, and stands in the place of the one of its name.
     *
     * @param dtype of its elements; the shape is that of the tensor it replaces
     * @param bytes computes its elements
     */
    public record Derived(DType dtype, Supplier<MemorySegment> bytes) {}

    private final Path directory;
    private final List<SafetensorsFile> files = new ArrayList<>();
    private final Map<String, Entry> entries = new LinkedHashMap<>();

    private Checkpoint(Path directory) {
        this.directory = directory;
    }

    /**
     * Maps every file of a checkpoint and checks all headers and the index.
     *
     * @throws InputException when the folder holds no safetensors checkpoint, or a damaged one
     */
    public static Checkpoint open(Path directory) {
        requireDirectory(directory);
        Checkpoint checkpoint = new Checkpoint(directory);
        try {
            Path singleFile = directory.resolve(SINGLE_FILE);
            Path index = directory.resolve(ShardIndex.FILE_NAME);
            // A link whose target is gone counts as there, so that the message is about the link.
            if (Files.exists(singleFile, LinkOption.NOFOLLOW_LINKS)) {
                checkpoint.add(SafetensorsFile.open(singleFile));
            } else if (Files.exists(index, LinkOption.NOFOLLOW_LINKS)) {
                checkpoint.addShards(index);
            } else {
                throw nothingFound(directory);
            }
            return checkpoint;
        } catch (Throwable e) {
            checkpoint.close();
            throw e;
        }
    }

    /**
     * The same checkpoint with some tensors computed from others. It uses the same files: closing one closes both.
     *
     * @param replaced by name
     * @param hidden names of tensors that are no longer to be seen
     * @throws IllegalArgumentException when there is no tensor to replace
     */
    public Checkpoint deriving(Map<String, Derived> replaced, Set<String> hidden) {
        if (!entries.keySet().containsAll(replaced.keySet())) {
            throw new IllegalArgumentException("some of " + replaced.keySet() + " are not in " + directory);
        }
        Checkpoint derived = new Checkpoint(directory);
        derived.files.addAll(files);
        entries.forEach((name, entry) -> {
            Derived tensor = replaced.get(name);
            TensorInfo info = entry.info();
            if (tensor != null) {
                long bytes = tensor.dtype().bytes(info.shape().elementCount());
                TensorInfo computed = new TensorInfo(name, tensor.dtype(), info.shape(), info.offset(), bytes);
                derived.entries.put(name, new Entry(computed, entry.file(), tensor.bytes()));
            } else if (!hidden.contains(name)) {
                derived.entries.put(name, entry);
            }
        });
        return derived;
    }

    /** The folder as it was named to {@link #open}. */
    public Path directory() {
        return directory;
    }

    /** The safetensors files in the order of their names. */
    public List<Path> files() {
        return files.stream().map(SafetensorsFile::path).toList();
    }

    /** All tensors: shards in the order of their names, within a shard in the order of the offsets. */
    public List<TensorInfo> tensors() {
        return entries.values().stream().map(Entry::info).toList();
    }

    /** Whether there is a tensor of this name. */
    public boolean contains(String name) {
        return entries.containsKey(name);
    }

    /** The tensor of this name, if there is one. */
    public Optional<TensorInfo> find(String name) {
        return Optional.ofNullable(entries.get(name)).map(Entry::info);
    }

    /**
     * The tensor of this name.
     *
     * @throws InputException when there is none
     */
    public TensorInfo info(String name) {
        return entry(name).info();
    }

    /**
     * The file that holds the tensor of this name.
     *
     * @throws InputException when there is no such tensor
     */
    public Path fileOf(String name) {
        return entry(name).file().path();
    }

    /**
     * The first byte of the tensor of this name, counted from the start of its file.
     *
     * @throws InputException when there is no such tensor
     */
    public long positionOf(String name) {
        Entry entry = entry(name);
        return entry.file().header().dataStart() + entry.info().offset();
    }

    /**
     * The tensor of this name with its elements: a read-only slice of a mapped file, or memory of its own where it is
     * computed.
     *
     * @throws InputException when there is none
     */
    public HostTensor tensor(String name) {
        Entry entry = entry(name);
        Supplier<MemorySegment> derived = entry.derived();
        return derived == null
                ? entry.file().tensor(name)
                : new HostTensor(name, entry.info().dtype(), entry.info().shape(), derived.get());
    }

    /**
     * The tensor of this name as it lies in its file, also where another that is computed stands in its place.
     *
     * @throws InputException when there is none
     */
    public HostTensor stored(String name) {
        return entry(name).file().tensor(name);
    }

    /** Bytes of the elements of all tensors. */
    public long totalBytes() {
        return entries.values().stream()
                .mapToLong(entry -> entry.info().byteSize())
                .sum();
    }

    /** Unmaps all files. */
    @Override
    public void close() {
        files.forEach(SafetensorsFile::close);
    }

    private Entry entry(String name) {
        Entry entry = entries.get(name);
        if (entry == null) {
            throw new InputException("the checkpoint " + directory + " has no tensor " + Quoted.text(name)
                    + "; 'gpuquant inspect' lists what it holds");
        }
        return entry;
    }

    private void add(SafetensorsFile file) {
        files.add(file);
        for (TensorInfo info : file.header().tensors()) {
            Entry other = entries.putIfAbsent(info.name(), new Entry(info, file));
            if (other != null) {
                throw new InputException("tensor " + Quoted.text(info.name()) + " is both in "
                        + other.file().path() + " and in " + file.path()
                        + "; remove what does not belong to the checkpoint, or download it again");
            }
        }
    }

    private void addShards(Path index) {
        Map<String, String> weightMap = ShardIndex.read(index);
        Map<String, String> firstTensors = new TreeMap<>();
        weightMap.forEach((tensor, shard) -> firstTensors.putIfAbsent(shard, tensor));
        firstTensors.forEach((shard, tensor) -> {
            Path path = directory.resolve(shard);
            if (!Files.exists(path)) {
                throw new InputException(index + " names the shard " + Quoted.text(shard) + " for tensor "
                        + Quoted.text(tensor) + ", and it is not in the folder; download it");
            }
            add(SafetensorsFile.open(path));
        });
        weightMap.forEach((tensor, shard) -> requireInShard(index, tensor, shard, entries.get(tensor)));
    }

    private static void requireInShard(Path index, String tensor, String shard, @Nullable Entry entry) {
        if (entry == null || !entry.file().path().getFileName().toString().equals(shard)) {
            throw new InputException(index + " says that tensor " + Quoted.text(tensor) + " is in " + Quoted.text(shard)
                    + ", which does not hold it; download the shard and the index again");
        }
    }

    private static void requireDirectory(Path directory) {
        if (Files.notExists(directory)) {
            throw new InputException(
                    directory + " does not exist; name the folder of a checkpoint in the safetensors format");
        }
        if (!Files.isDirectory(directory)) {
            throw new InputException(directory + " is not a folder; name the folder that holds the checkpoint");
        }
    }

    private static InputException nothingFound(Path directory) {
        List<String> names;
        try (Stream<Path> paths = Files.list(directory)) {
            names = paths.map(path -> path.getFileName().toString()).sorted().toList();
        } catch (IOException | UncheckedIOException e) {
            return MappedFile.unreadable(directory, e);
        }
        String missing = directory + " holds neither " + SINGLE_FILE + " nor " + ShardIndex.FILE_NAME;
        Optional<String> other =
                names.stream().filter(name -> name.endsWith(".safetensors")).findFirst();
        if (other.isPresent()) {
            return new InputException(missing + ", but " + Quoted.text(other.get()) + "; rename a single file to "
                    + SINGLE_FILE + ", or download the index of the shards");
        }
        Optional<String> pickle = names.stream()
                .filter(name -> name.endsWith(".bin") || name.endsWith(".pt") || name.endsWith(".pth"))
                .findFirst();
        if (pickle.isPresent()) {
            return new InputException(
                    missing + ", but the PyTorch file " + Quoted.text(pickle.get())
                            + ", a pickle, which can run any code on the machine that loads it; take the safetensors files that most"
                            + " models also have, or convert it with save_pretrained(..., safe_serialization=True) in a sandbox");
        }
        return new InputException(missing + "; name the folder of a checkpoint in the safetensors format");
    }
}
