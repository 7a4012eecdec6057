package io.gpuquant.gguf;

import io.gpuquant.InputException;
import io.gpuquant.file.Quoted;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A model of one GGUF file, or of a set of them that it was split into; metadata are those of the first. */
public final class GgufSet implements AutoCloseable {

    private static final Pattern PART = Pattern.compile("(.*)-(\\d{5})-of-(\\d{5})\\.gguf");

    private final List<GgufFile> files = new ArrayList<>();
    private final Map<String, GgufFile> byTensor = new HashMap<>();

    private GgufSet() {}

    /**
     * Opens a file, and where it is a part of a set all others too.
     *
     * @throws InputException when one is missing, or damaged
     */
    public static GgufSet open(Path path) {
        GgufSet set = new GgufSet();
        try {
            Matcher part = PART.matcher(path.getFileName().toString());
            if (part.matches()) {
                set.addParts(path, part.group(1), Integer.parseInt(part.group(3)));
            } else {
                set.add(GgufFile.open(path));
                set.requireWhole(1);
            }
            return set;
        } catch (Throwable e) {
            set.close();
            throw e;
        }
    }

    private void addParts(Path path, String prefix, int count) {
        if (count < 1) {
            throw new InputException(path + " is named as a part of no files; give it another name");
        }
        for (int i = 0; i < count; i++) {
            String name = String.format(Locale.ROOT, "%s-%05d-of-%05d.gguf", prefix, i + 1, count);
            GgufFile file = GgufFile.open(path.resolveSibling(name));
            add(file);
            if (file.whole("split.no").orElse((long) i) != i) {
                throw new InputException(file.path() + " says that it is part "
                        + (file.whole("split.no").orElse(0L) + 1) + " of a set; give it its own name back");
            }
        }
        requireWhole(count);
    }

    private void requireWhole(int count) {
        GgufFile first = files.getFirst();
        long said = first.whole("split.count").orElse(1L);
        if (said != count && said != 0) {
            throw new InputException(first.path() + " is one of " + said
                    + " files, but is not named as such (NAME-00001-of-00003.gguf); give it its own name back");
        }
        long tensors = first.whole("split.tensors.count").orElse((long) byTensor.size());
        if (tensors != byTensor.size()) {
            throw new InputException(first.path() + " is of a set of " + tensors + " tensors, but its files have "
                    + byTensor.size() + "; get the files again");
        }
    }

    private void add(GgufFile file) {
        files.add(file);
        for (GgufTensor tensor : file.header().tensors()) {
            if (byTensor.put(tensor.name(), file) != null) {
                throw new InputException(file.path() + " has the tensor " + Quoted.text(tensor.name())
                        + ", which an earlier file of the set has too; get the files again");
            }
        }
    }

    /** The first file, which has the metadata. */
    public GgufFile first() {
        return files.getFirst();
    }

    /** All files. */
    public List<GgufFile> files() {
        return List.copyOf(files);
    }

    /** All tensors, file by file. */
    public List<GgufTensor> tensors() {
        return files.stream().flatMap(file -> file.header().tensors().stream()).toList();
    }

    /** What is known of a tensor, if there is one of this name. */
    public Optional<GgufTensor> find(String name) {
        return Optional.ofNullable(byTensor.get(name)).flatMap(file -> file.find(name));
    }

    /** The file that holds a tensor. */
    public GgufFile fileOf(GgufTensor tensor) {
        GgufFile file = byTensor.get(tensor.name());
        if (file == null) {
            throw new IllegalArgumentException("no tensor " + tensor.name());
        }
        return file;
    }

    /** The bytes of a tensor, read-only. */
    public MemorySegment data(GgufTensor tensor) {
        return fileOf(tensor).data(tensor);
    }

    /** Bits that a weight takes on average, over all tensors. */
    public double bitsPerWeight() {
        double bits = 0;
        double weights = 0;
        for (GgufTensor tensor : tensors()) {
            bits += 8.0 * tensor.byteSize();
            weights += tensor.elements();
        }
        return bits / weights;
    }

    @Override
    public void close() {
        files.forEach(GgufFile::close);
    }
}
