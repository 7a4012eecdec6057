package io.gpuquant.job;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.format.ElementConfig;
import io.gpuquant.format.ElementScheme;
import io.gpuquant.format.GptqTensors;
import io.gpuquant.format.PackQuantizedTensors;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What is in a checkpoint, of whatever model: read from its files, without an opinion on whether it can be used.
 *
 * @param modelType the {@code model_type} of config.json, empty if there is none
 * @param quantization the {@code quantization_config}, if there is one
 * @param elements what the format is called, if its linears are elements of a narrow type
 * @param kinds tensors by name with layer and expert numbers replaced by a star
 * @param bytesByType bytes of the elements of each type
 * @param kept modules with a weight matrix that is not quantized, with numbers replaced by a star; empty for a checkpoint that
 *     is not quantized
 */
public record Inspection(
        Path folder,
        String modelType,
        Optional<ObjectNode> quantization,
        Optional<String> elements,
        List<Kind> kinds,
        Map<DType, Long> bytesByType,
        int files,
        int tensors,
        long bytes,
        int quantizedLinears,
        List<String> kept) {

    private static final String WEIGHT = ".weight";

    /**
     * Tensors that differ by a number in their name.
     *
     * @param shape of the first
     * @param bytes of all
     */
    public record Kind(String pattern, int count, DType dtype, String shape, long bytes) {}

    /**
     * Reads a checkpoint folder.
     *
     * @throws InputException when it is missing or damaged
     */
    public static Inspection of(Path folder) {
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            ObjectNode config = readConfig(folder);
            Map<DType, Long> byType = new EnumMap<>(DType.class);
            Map<String, List<TensorInfo>> byPattern = new TreeMap<>();
            int quantized = 0;
            for (TensorInfo info : checkpoint.tensors()) {
                byType.merge(info.dtype(), info.byteSize(), Long::sum);
                byPattern
                        .computeIfAbsent(pattern(info.name()), key -> new ArrayList<>())
                        .add(info);
                quantized += GptqTensors.isCodes(info.name()) || PackQuantizedTensors.isCodes(info.name()) ? 1 : 0;
            }
            Optional<ObjectNode> quantization = config.path("quantization_config") instanceof ObjectNode object
                    ? Optional.of(object)
                    : Optional.empty();
            Optional<ElementScheme> elements = quantization.flatMap(
                    object -> ElementConfig.read(object, folder.resolve("config.json"), DType.BF16));
            if (elements.isPresent()) {
                quantized = countElements(checkpoint, elements.get());
            }
            return new Inspection(
                    folder,
                    config.path("model_type").asText(""),
                    quantization,
                    elements.map(ElementScheme::describe),
                    byPattern.entrySet().stream()
                            .map(entry -> kind(entry.getKey(), entry.getValue()))
                            .toList(),
                    byType,
                    checkpoint.files().size(),
                    checkpoint.tensors().size(),
                    checkpoint.totalBytes(),
                    quantized,
                    quantized == 0 ? List.of() : kept(checkpoint));
        }
    }

    private static int countElements(Checkpoint checkpoint, ElementScheme scheme) {
        String suffix = scheme.codes("");
        return (int) checkpoint.tensors().stream()
                .filter(info -> info.name().endsWith(suffix) && info.dtype() == scheme.codesType())
                .count();
    }

    private static List<String> kept(Checkpoint checkpoint) {
        return checkpoint.tensors().stream()
                .filter(info -> info.shape().rank() > 1 && info.dtype().isComputeType())
                .filter(info -> info.name().endsWith(WEIGHT))
                .map(info -> pattern(info.name().substring(0, info.name().length() - WEIGHT.length())))
                .distinct()
                .sorted()
                .toList();
    }

    private static Kind kind(String pattern, List<TensorInfo> tensors) {
        TensorInfo first = tensors.getFirst();
        long bytes = tensors.stream().mapToLong(TensorInfo::byteSize).sum();
        return new Kind(pattern, tensors.size(), first.dtype(), first.shape().toString(), bytes);
    }

    private static String pattern(String name) {
        return name.replaceAll("(?<=\\.)\\d+(?=\\.)", "*");
    }

    private static ObjectNode readConfig(Path folder) {
        Path file = folder.resolve("config.json");
        ObjectMapper mapper = new ObjectMapper();
        if (!Files.isRegularFile(file)) {
            return mapper.createObjectNode();
        }
        try {
            JsonNode root = mapper.readTree(file.toFile());
            return root instanceof ObjectNode object ? object : mapper.createObjectNode();
        } catch (IOException damaged) {
            throw new InputException(file + " is not valid JSON; download it again", damaged);
        }
    }
}
