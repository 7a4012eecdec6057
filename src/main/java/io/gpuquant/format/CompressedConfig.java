package io.gpuquant.format;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.tensor.DType;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** The {@code quantization_config} of a compressed-tensors checkpoint of a preset, key by key as compressed-tensors writes it. */
public final class CompressedConfig {

    private static final String METHOD = "compressed-tensors";

    /** The release whose layout and keys these are. */
    private static final String VERSION = "0.16.1";

    private CompressedConfig() {}

    /**
     * The object as loaders expect it.
     *
     * @param kept full names of linears that are not quantized; it must name the output head
     */
    public static ObjectNode write(CompressedScheme scheme, List<String> kept) {
        CompressedPreset preset = scheme.preset();
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        ObjectNode group = config.putObject("config_groups").putObject("group_0");
        group.put("format", preset.format());
        if (preset.activations() == CompressedPreset.Activations.NONE) {
            group.putNull("input_activations");
        } else {
            writeActivations(preset, group.putObject("input_activations"));
        }
        group.putNull("output_activations");
        group.putArray("targets").add("Linear");
        writeWeights(preset, group.putObject("weights"));
        config.put("format", preset.format());
        config.putNull("global_compression_ratio");
        kept.forEach(config.putArray("ignore")::add);
        config.putNull("kv_cache_scheme");
        config.put("quant_method", METHOD);
        config.put("quantization_status", "compressed");
        config.putObject("sparsity_config");
        config.putObject("transform_config");
        config.put("version", VERSION);
        return config;
    }

    private static void writeWeights(CompressedPreset preset, ObjectNode weights) {
        boolean block = preset.strategy().equals("block");
        weights.putNull("actorder");
        if (block) {
            weights.putArray("block_structure").add(preset.groupSize()).add(preset.groupSize());
        } else {
            weights.putNull("block_structure");
        }
        weights.put("dynamic", false);
        putGroupSize(weights, block ? 0 : preset.groupSize());
        weights.put("observer", "memoryless_minmax");
        writeElements(preset, weights, preset.strategy());
    }

    private static void writeActivations(CompressedPreset preset, ObjectNode inputs) {
        inputs.putNull("actorder");
        inputs.putNull("block_structure");
        switch (preset.activations()) {
            case LOCAL -> inputs.put("dynamic", "local");
            case STATIC -> inputs.put("dynamic", false);
            default -> inputs.put("dynamic", true);
        }
        putGroupSize(inputs, preset.groupSize());
        if (preset.needsRanges()) {
            inputs.put("observer", "static_minmax");
        } else {
            inputs.putNull("observer");
        }
        writeElements(
                preset,
                inputs,
                switch (preset.activations()) {
                    case TOKEN, NONE -> "token";
                    case GROUP -> "group";
                    case STATIC -> "tensor";
                    case LOCAL -> "tensor_group";
                });
    }

    private static void putGroupSize(ObjectNode arguments, int size) {
        if (size == 0) {
            arguments.putNull("group_size");
        } else {
            arguments.put("group_size", size);
        }
    }

    private static void writeElements(CompressedPreset preset, ObjectNode arguments, String strategy) {
        arguments.put("num_bits", preset.type() == ElementType.E2M1 ? 4 : 8);
        arguments.putObject("observer_kwargs");
        if (preset.isTwoLevel()) {
            arguments.put("scale_dtype", "torch.float8_e4m3fn");
        } else if (preset.isMicroscaled()) {
            arguments.put("scale_dtype", "torch.uint8");
        } else {
            arguments.putNull("scale_dtype");
        }
        arguments.put("strategy", strategy);
        arguments.put("symmetric", true);
        arguments.put("type", preset.type() == ElementType.INT8 ? "int" : "float");
        arguments.putNull("zp_dtype");
    }

    /**
     * Reads the scheme from a {@code quantization_config}; empty when its linears are not all of one preset.
     *
     * @param weightType the type that weights had before
     */
    static Optional<CompressedScheme> read(ObjectNode config, DType weightType) {
        JsonNode groups = config.path("config_groups");
        if (!METHOD.equals(config.path("quant_method").asText("")) || groups.size() != 1) {
            return Optional.empty();
        }
        JsonNode group = groups.iterator().next();
        String format = group.path("format").asText(config.path("format").asText(""));
        return Arrays.stream(CompressedPreset.values())
                .filter(preset -> preset.format().equals(format) && matches(preset, group))
                .findFirst()
                .map(preset -> new CompressedScheme(preset, weightType));
    }

    private static boolean matches(CompressedPreset preset, JsonNode group) {
        JsonNode weights = group.path("weights");
        boolean block = preset.strategy().equals("block");
        boolean blocks = !block
                || weights.path("block_structure").path(0).asInt() == preset.groupSize()
                        && weights.path("block_structure").path(1).asInt() == preset.groupSize();
        boolean groups = block || weights.path("group_size").asInt(0) == preset.groupSize();
        // What is done to activations does not change what a weight is worth, but what else a file holds.
        boolean ranges = preset.needsRanges() == hasRanges(group.path("input_activations"));
        return weights.path("strategy").asText("").equals(preset.strategy())
                && weights.path("symmetric").asBoolean(true)
                && blocks
                && groups
                && (ranges || preset.strategy().equals("tensor"));
    }

    private static boolean hasRanges(JsonNode inputs) {
        return inputs.isObject()
                && (inputs.path("dynamic").asText("").equals("local")
                        || !inputs.path("dynamic").asBoolean(false));
    }
}
