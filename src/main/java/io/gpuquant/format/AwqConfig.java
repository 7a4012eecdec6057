package io.gpuquant.format;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/**
 * The {@code quantization_config} of an AWQ checkpoint, as AutoAWQ writes it, and the {@code quant_config.json} of its first
 * versions, which vLLM reads too. {@code zero_point} is always true: symmetric grids have their zero points stored, because
 * engines ask for them in either case, and the fast ones refuse a file that says it has none.
 */
public final class AwqConfig {

    private static final String METHOD = "awq";

    private AwqConfig() {}

    /**
     * The object as loaders expect it.
     *
     * @param keptModules full names of linears in decoder layers that are not quantized: a form that engines that look for
     *     parts of names, for beginnings and for ends understand alike
     */
    public static ObjectNode write(AwqScheme scheme, List<String> keptModules) {
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("quant_method", METHOD);
        config.put("zero_point", true);
        config.put("group_size", scheme.groupSize());
        config.put("bits", scheme.bits());
        config.put("version", scheme.version().formatName());
        if (keptModules.isEmpty()) {
            config.putNull("modules_to_not_convert");
        } else {
            ArrayNode modules = config.putArray("modules_to_not_convert");
            keptModules.forEach(modules::add);
        }
        return config;
    }

    /** The content of {@code quant_config.json}. */
    public static ObjectNode writeLegacy(AwqScheme scheme) {
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("zero_point", true);
        config.put("q_group_size", scheme.groupSize());
        config.put("w_bit", scheme.bits());
        config.put("version", scheme.version().name());
        return config;
    }

    /** Whether a {@code quantization_config} describes this format. */
    public static boolean isAwq(ObjectNode config) {
        return METHOD.equals(
                config.path("quant_method").asText(config.path("method").asText("")));
    }

    /**
     * Reads the scheme from a {@code quantization_config}.
     *
     * @param file for messages
     * @throws InputException when a key is missing or has a value that no readable AWQ checkpoint has
     */
    public static AwqScheme read(ObjectNode config, Path file) {
        int bits = integer(config, "bits", "w_bit", file);
        int groupSize = integer(config, "group_size", "q_group_size", file);
        String name = config.path("version").asText(config.path("format").asText(AwqVersion.GEMM.formatName()));
        AwqVersion version = switch (name.toLowerCase(Locale.ROOT)) {
            case "gemm" -> AwqVersion.GEMM;
            case "gemv" -> AwqVersion.GEMV;
            default ->
                throw new InputException(file + ": quantization_config.version is " + name
                        + ", which is not supported; use a checkpoint in the layout gemm or gemv");
        };
        if (bits != new AwqScheme(128, false, version).bits()) {
            throw new InputException(
                    file + ": quantization_config.bits is " + bits + ", but AWQ checkpoints have 4-bit weights");
        }
        try {
            return new AwqScheme(groupSize, false, version);
        } catch (IllegalArgumentException unknown) {
            throw new InputException(
                    file + ": quantization_config has " + unknown.getMessage() + ", which no AWQ checkpoint has",
                    unknown);
        }
    }

    private static int integer(ObjectNode config, String key, String legacyKey, Path file) {
        JsonNode value = config.has(key) ? config.path(key) : config.path(legacyKey);
        if (!value.isIntegralNumber() || !value.canConvertToInt()) {
            throw new InputException(
                    file + ": quantization_config." + key + " is missing or not an integer; download the file again");
        }
        return value.asInt();
    }
}
