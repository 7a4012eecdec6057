package io.gpuquant.job;

import io.gpuquant.file.Quoted;
import io.gpuquant.gguf.FileType;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.gguf.GgufSet;
import io.gpuquant.gguf.GgufTensor;
import io.gpuquant.gguf.GgufValue;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What is in GGUF files, of whatever model: read without an opinion on whether it can be used.
 *
 * @param mix the mix of types that the file says it has
 * @param metadata every entry by its key; of long arrays the number of elements
 * @param kinds tensors that differ by their layer only
 * @param bytesByType bytes of the tensors of each type
 */
public record GgufInspection(
        Path path,
        int files,
        Optional<FileType> mix,
        Map<String, String> metadata,
        List<Kind> kinds,
        Map<GgmlType, Long> bytesByType,
        int tensors,
        long bytes,
        double bitsPerWeight) {

    private static final int SHOWN_ELEMENTS = 8;

    /**
     * Tensors that differ by their layer, and have one type.
     *
     * @param shape of the first, outermost extent first
     * @param bytes of all
     */
    public record Kind(String pattern, int count, GgmlType type, String shape, long bytes) {

        private Kind and(Kind other) {
            return new Kind(pattern, count + other.count, type, shape, bytes + other.bytes);
        }
    }

    /**
     * Reads a file, or all files of a set.
     *
     * @throws io.gpuquant.InputException when one is missing or damaged
     */
    public static GgufInspection of(Path path) {
        try (GgufSet set = GgufSet.open(path)) {
            Map<String, String> metadata = new LinkedHashMap<>();
            set.first().header().metadata().forEach((key, value) -> metadata.put(key, shown(value)));
            Map<String, Kind> kinds = new TreeMap<>();
            Map<GgmlType, Long> byType = new EnumMap<>(GgmlType.class);
            for (GgufTensor tensor : set.tensors()) {
                String pattern = tensor.name().replaceFirst("^blk\\.\\d+\\.", "blk.*.");
                Kind kind = new Kind(pattern, 1, tensor.type(), tensor.shape(), tensor.byteSize());
                kinds.merge(pattern + " " + tensor.type(), kind, Kind::and);
                byType.merge(tensor.type(), tensor.byteSize(), Long::sum);
            }
            return new GgufInspection(
                    path,
                    set.files().size(),
                    set.first().whole("general.file_type").flatMap(FileType::withId),
                    metadata,
                    List.copyOf(kinds.values()),
                    byType,
                    set.tensors().size(),
                    byType.values().stream().mapToLong(Long::longValue).sum(),
                    set.bitsPerWeight());
        }
    }

    private static String shown(GgufValue value) {
        return switch (value) {
            case GgufValue.Text text -> Quoted.text(text.value());
            case GgufValue.Whole whole -> String.valueOf(whole.value());
            case GgufValue.Real real -> Float.toString((float) real.value());
            case GgufValue.Flag flag -> String.valueOf(flag.value());
            case GgufValue.Array array -> shown(array);
        };
    }

    private static String shown(GgufValue.Array array) {
        List<?> elements = array.elements();
        if (elements.size() > SHOWN_ELEMENTS) {
            return elements.size() + " of " + array.elementType();
        }
        return elements.stream()
                .map(element -> element instanceof String text ? Quoted.text(text) : element.toString())
                .toList()
                .toString();
    }
}
