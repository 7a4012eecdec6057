package io.gpuquant.format;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.tensor.DType;
import java.nio.file.Path;
import java.util.List;

/** The {@code quantization_config} of an FP8 checkpoint in blocks. */
public final class Fp8BlockConfig {

    private static final String METHOD = "fp8";

    private Fp8BlockConfig() {}

    /**
     * The object as loaders expect it.
     *
     * @param kept full names of linears that are not quantized, under the key of transformers and that of vLLM
     */
    public static ObjectNode write(Fp8BlockScheme scheme, List<String> kept) {
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("quant_method", METHOD);
        config.put("activation_scheme", "dynamic");
        config.put("fmt", "e4m3");
        config.putArray("weight_block_size").add(scheme.blockRows()).add(scheme.blockColumns());
        kept.forEach(config.putArray("modules_to_not_convert")::add);
        kept.forEach(config.putArray("ignored_layers")::add);
        return config;
    }

    /** Whether a {@code quantization_config} describes this format. */
    static boolean isFp8(ObjectNode config) {
        return METHOD.equals(config.path("quant_method").asText(""));
    }

    /**
     * Reads the scheme from a {@code quantization_config}.
     *
     * @throws InputException when its weights are not in blocks
     */
    static Fp8BlockScheme read(ObjectNode config, Path file, DType weightType) {
        JsonNode block = config.path("weight_block_size");
        int rows = block.path(0).asInt(0);
        int columns = block.path(1).asInt(0);
        if (rows < 1 || columns < 1) {
            throw new InputException(file + ": quantization_config.weight_block_size is " + block
                    + ", but only FP8 weights in blocks can be read; use a checkpoint of compressed-tensors for a scale"
                    + " per tensor or channel");
        }
        return new Fp8BlockScheme(rows, columns, weightType);
    }
}
