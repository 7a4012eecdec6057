package io.gpuquant.format;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.tensor.DType;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * The {@code quantization_config} of a compressed-tensors checkpoint in the format {@code pack-quantized}, key by key as
 * compressed-tensors itself writes it.
 */
public final class PackQuantizedConfig {

    private static final String METHOD = "compressed-tensors";
    private static final String FORMAT = "pack-quantized";

    /** The release of compressed-tensors whose layout is written. */
    private static final String VERSION = "0.16.1";

    private static final String OUTPUT_HEAD = "lm_head";

    /** What entries that are regular expressions begin with. */
    private static final String PATTERN = "re:";

    private PackQuantizedConfig() {}

    /**
     * The object as loaders expect it.
     *
     * @param keptModules full names of linears in decoder layers that are not quantized
     */
    public static ObjectNode write(PackQuantizedScheme scheme, List<String> keptModules) {
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        ObjectNode group = config.putObject("config_groups").putObject("group_0");
        group.put("format", FORMAT);
        group.putNull("input_activations");
        group.putNull("output_activations");
        group.putArray("targets").add("Linear");
        writeWeights(scheme, group.putObject("weights"));
        config.put("format", FORMAT);
        config.putNull("global_compression_ratio");
        ArrayNode ignored = config.putArray("ignore");
        keptModules.forEach(ignored::add);
        ignored.add(OUTPUT_HEAD);
        config.putNull("kv_cache_scheme");
        config.put("quant_method", METHOD);
        config.put("quantization_status", "compressed");
        config.putObject("sparsity_config");
        config.putObject("transform_config");
        config.put("version", VERSION);
        return config;
    }

    private static void writeWeights(PackQuantizedScheme scheme, ObjectNode weights) {
        boolean grouped = scheme.groupSize() != -1;
        weights.putNull("actorder");
        weights.putNull("block_structure");
        weights.put("dynamic", false);
        if (grouped) {
            weights.put("group_size", scheme.groupSize());
        } else {
            weights.putNull("group_size");
        }
        weights.put("num_bits", scheme.bits());
        weights.put("observer", "memoryless_minmax");
        weights.putObject("observer_kwargs");
        weights.putNull("scale_dtype");
        weights.put("strategy", grouped ? "group" : "channel");
        weights.put("symmetric", scheme.symmetric());
        weights.put("type", "int");
        if (scheme.symmetric()) {
            weights.putNull("zp_dtype");
        } else {
            weights.put("zp_dtype", "torch.int8");
        }
    }

    /** Whether a {@code quantization_config} describes a checkpoint of the compressed-tensors family. */
    public static boolean isCompressedTensors(ObjectNode config) {
        return METHOD.equals(config.path("quant_method").asText(""));
    }

    /**
     * Reads the scheme from a {@code quantization_config}.
     *
     * @param file for messages
     * @throws InputException when it describes something else than integer weights of one kind in the format {@code
     *     pack-quantized}
     */
    public static PackQuantizedScheme read(ObjectNode config, Path file) {
        if (!config.path("sparsity_config").path("format").asText("dense").equals("dense")) {
            throw unsupported(file, "sparse weights");
        }
        if (!config.path("transform_config").path("config_groups").isEmpty()) {
            throw unsupported(file, "transforms of activations");
        }
        Set<PackQuantizedScheme> schemes = new HashSet<>();
        for (JsonNode group : config.path("config_groups")) {
            schemes.add(readGroup(config, group, file));
        }
        if (schemes.size() != 1) {
            throw unsupported(file, schemes.size() + " kinds of weights");
        }
        return schemes.iterator().next();
    }

    private static PackQuantizedScheme readGroup(ObjectNode config, JsonNode group, Path file) {
        String format = group.path("format").asText(config.path("format").asText(""));
        JsonNode weights = group.path("weights");
        if (!format.equals(FORMAT) || !weights.path("type").asText("int").equals("int")) {
            throw unsupported(file, "the format " + format);
        }
        if (group.path("input_activations").isObject()
                || group.path("output_activations").isObject()) {
            throw unsupported(file, "quantized activations");
        }
        String order = weights.path("actorder").asText("").toLowerCase(Locale.ROOT);
        if (order.equals("group") || order.equals("dynamic")) {
            throw unsupported(file, "groups that are not runs of consecutive input features (actorder " + order + ")");
        }
        String strategy = weights.path("strategy").asText("");
        if (!strategy.equals("group") && !strategy.equals("channel")) {
            throw unsupported(file, "the strategy " + strategy);
        }
        try {
            return new PackQuantizedScheme(
                    weights.path("num_bits").asInt(),
                    strategy.equals("channel") ? -1 : weights.path("group_size").asInt(),
                    weights.path("symmetric").asBoolean(true),
                    DType.BF16);
        } catch (IllegalArgumentException unknown) {
            throw new InputException(
                    file + ": quantization_config has " + unknown.getMessage()
                            + ", which no checkpoint of this format has",
                    unknown);
        }
    }

    /** Whether loaders leave a module as it is: {@code ignore} names it, or has a pattern that it begins with. */
    public static boolean isIgnored(ObjectNode config, String module) {
        for (JsonNode entry : config.path("ignore")) {
            String text = entry.asText();
            if (text.equals(module)
                    || (text.startsWith(PATTERN) && beginsWith(module, text.substring(PATTERN.length())))) {
                return true;
            }
        }
        return false;
    }

    private static boolean beginsWith(String module, String pattern) {
        try {
            return Pattern.compile(pattern).matcher(module).lookingAt();
        } catch (PatternSyntaxException otherDialect) {
            return false;
        }
    }

    private static InputException unsupported(Path file, String what) {
        return new InputException(file + ": quantization_config says " + METHOD + " with " + what
                + ", which is not supported; use a checkpoint in the format " + FORMAT
                + " with integer weights of one kind");
    }
}
