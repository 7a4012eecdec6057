package io.gpuquant.format;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.Map;

/** The {@code quantization_config} of a bitsandbytes checkpoint, with the keys of transformers' {@code BitsAndBytesConfig}. */
public final class BnbConfig {

    private static final String METHOD = "bitsandbytes";
    private static final double THRESHOLD = 6.0;

    private BnbConfig() {}

    /**
     * The object as loaders expect it.
     *
     * @param computeType what four-bit linears are computed in
     * @param kept full names of linears that are not quantized; a list replaces what loaders would leave out by themselves,
     *     so it must name the output head too
     */
    public static ObjectNode write(BnbScheme scheme, DType computeType, List<String> kept) {
        boolean four = scheme.type() != BnbType.INT8;
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("quant_method", METHOD);
        config.put("load_in_4bit", four);
        config.put("load_in_8bit", !four);
        config.put("_load_in_4bit", four);
        config.put("_load_in_8bit", !four);
        config.put("bnb_4bit_quant_type", four ? scheme.type().typeName() : BnbType.FP4.typeName());
        config.put("bnb_4bit_use_double_quant", scheme.doubleQuant());
        config.put("bnb_4bit_compute_dtype", BnbScheme.pythonName(four ? computeType : DType.F32));
        config.put("bnb_4bit_quant_storage", "uint8");
        config.put("llm_int8_threshold", THRESHOLD);
        ArrayNode skipped = config.putArray("llm_int8_skip_modules");
        kept.forEach(skipped::add);
        config.put("llm_int8_enable_fp32_cpu_offload", false);
        config.put("llm_int8_has_fp16_weight", false);
        return config;
    }

    /** Whether a {@code quantization_config} describes this format. */
    static boolean isBnb(ObjectNode config) {
        return METHOD.equals(config.path("quant_method").asText(""));
    }

    /** Reads the scheme from a {@code quantization_config}. */
    static BnbScheme read(ObjectNode config, DType weightType) {
        boolean eight = config.path("load_in_8bit")
                .asBoolean(config.path("_load_in_8bit").asBoolean(false));
        boolean normal = config.path("bnb_4bit_quant_type").asText("fp4").equals(BnbType.NF4.typeName());
        BnbType type = eight ? BnbType.INT8 : normal ? BnbType.NF4 : BnbType.FP4;
        boolean nested = !eight && config.path("bnb_4bit_use_double_quant").asBoolean(false);
        return new BnbScheme(type, nested, weightType, Map.of());
    }
}
