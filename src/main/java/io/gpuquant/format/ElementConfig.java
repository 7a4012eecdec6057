package io.gpuquant.format;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.tensor.DType;
import java.nio.file.Path;
import java.util.Optional;

/** Which element format a {@code quantization_config} describes. */
public final class ElementConfig {

    private ElementConfig() {}

    /**
     * Reads a scheme.
     *
     * @param file for messages
     * @param weightType the type that weights had before they were quantized
     * @return empty when it describes another format
     * @throws InputException when it describes one of these formats in a form that cannot be read
     */
    public static Optional<ElementScheme> read(ObjectNode config, Path file, DType weightType) {
        if (BnbConfig.isBnb(config)) {
            return Optional.of(BnbConfig.read(config, weightType));
        }
        if (Fp8BlockConfig.isFp8(config)) {
            return Optional.of(Fp8BlockConfig.read(config, file, weightType));
        }
        return CompressedConfig.read(config, weightType).map(ElementScheme.class::cast);
    }
}
