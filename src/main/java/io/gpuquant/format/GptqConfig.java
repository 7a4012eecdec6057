package io.gpuquant.format;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * The {@code quantization_config} of a GPTQ checkpoint. The keys that vLLM and transformers need, and those by which
 * GPTQModel's own files are recognized, are always written; what a loader does not know it ignores.
 */
public final class GptqConfig {

    private static final String METHOD = "gptq";

    private GptqConfig() {}

    /**
     * What is written besides the scheme.
     *
     * @param algorithm how the codes were found: {@code gptq} or {@code rtn}
     * @param damping of the diagonal, as a fraction of its mean; 0 for a method without one, and nothing is said of it then, because
     *     GPTQModel refuses a zero
     * @param staticGroups whether scales were found before any weight was changed
     * @param groupAware whether columns were reordered within groups, and groups among themselves
     * @param mse whether scales were searched for the least squared error
     * @param quantizer the tool and its version
     * @param modules names, within a decoder layer, of the linears that are quantized, stage by stage; empty when all are
     * @param skipped whole names of modules that are no linears to be quantized at all, such as routers
     */
    public record Details(
            String algorithm,
            double damping,
            boolean staticGroups,
            boolean groupAware,
            boolean mse,
            String quantizer,
            List<List<String>> modules,
            List<String> skipped) {

        public Details {
            modules = modules.stream().map(List::copyOf).toList();
            skipped = List.copyOf(skipped);
        }
    }

    /** The object as loaders expect it. */
    public static ObjectNode write(GptqScheme scheme, Details details) {
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("bits", scheme.bits());
        config.put("group_size", scheme.groupSize());
        config.put("desc_act", scheme.descAct());
        config.put("sym", scheme.symmetric());
        config.put("lm_head", false);
        config.put("quant_method", METHOD);
        config.put("method", METHOD);
        config.put("checkpoint_format", scheme.version().formatName());
        config.put("format", scheme.version().formatName());
        config.put("pack_dtype", "int32");
        putDamping(config, details);
        config.put("static_groups", details.staticGroups());
        config.put("true_sequential", true);
        if (!details.modules().isEmpty()) {
            // Without this, transformers would make a quantized layer of every linear, also of those left as they were.
            ArrayNode stages = config.putArray("modules_in_block_to_quantize");
            details.modules().forEach(stage -> stage.forEach(stages.addArray()::add));
        }
        if (!details.skipped().isEmpty()) {
            // GPTQModel's and vLLM's way to say so: a regular expression over the whole name.
            ObjectNode dynamic = config.putObject("dynamic");
            details.skipped().forEach(module -> dynamic.putObject("-:^" + module.replace(".", "\\.") + "$"));
        }
        ObjectNode meta = config.putObject("meta");
        meta.putArray("quantizer").add(details.quantizer());
        meta.put("algorithm", details.algorithm());
        putDamping(meta, details);
        meta.put("static_groups", details.staticGroups());
        meta.put("true_sequential", true);
        meta.put("act_group_aware", details.groupAware());
        meta.put("mse", details.mse() ? 2.0 : 0.0);
        return config;
    }

    private static void putDamping(ObjectNode target, Details details) {
        if (details.damping() > 0) {
            target.put("damp_percent", details.damping());
        }
    }

    /** Whether a {@code quantization_config} describes this format. */
    public static boolean isGptq(ObjectNode config) {
        return METHOD.equals(
                config.path("quant_method").asText(config.path("method").asText("")));
    }

    /**
     * Reads the scheme from a {@code quantization_config}.
     *
     * @param file for messages
     * @throws InputException when a key is missing or has a value that no GPTQ checkpoint has
     */
    public static GptqScheme read(ObjectNode config, Path file) {
        int bits = integer(config, "bits", file);
        int groupSize = config.has("group_size") ? integer(config, "group_size", file) : -1;
        String format =
                config.path("checkpoint_format").asText(config.path("format").asText(GptqVersion.V1.formatName()));
        GptqVersion version = Map.of(
                        GptqVersion.V1.formatName(), GptqVersion.V1, GptqVersion.V2.formatName(), GptqVersion.V2)
                .get(format);
        if (version == null) {
            throw new InputException(file + ": quantization_config.checkpoint_format is " + format
                    + ", which is not supported; use a checkpoint in the format gptq or gptq_v2");
        }
        try {
            return new GptqScheme(
                    bits,
                    groupSize,
                    config.path("sym").asBoolean(true),
                    config.path("desc_act").asBoolean(false),
                    version);
        } catch (IllegalArgumentException unknown) {
            throw new InputException(
                    file + ": quantization_config has " + unknown.getMessage() + ", which no GPTQ checkpoint has",
                    unknown);
        }
    }

    private static int integer(ObjectNode config, String key, Path file) {
        JsonNode value = config.path(key);
        if (!value.isIntegralNumber() || !value.canConvertToInt()) {
            throw new InputException(
                    file + ": quantization_config." + key + " is missing or not an integer; download the file again");
        }
        return value.asInt();
    }
}
