package io.gpuquant.cli;

import io.gpuquant.format.AwqVersion;
import io.gpuquant.format.CompressedTensors;
import io.gpuquant.format.GptqVersion;
import io.gpuquant.format.PackedFormat;
import java.util.Map;
import java.util.TreeMap;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads the name of a checkpoint format. */
final class FormatConverter implements ITypeConverter<PackedFormat> {

    private static final Map<String, PackedFormat> FORMATS = new TreeMap<>(Map.of(
            "gptq", GptqVersion.V1,
            "gptq_v2", GptqVersion.V2,
            "awq", AwqVersion.GEMM,
            "compressed-tensors", CompressedTensors.PACK_QUANTIZED));

    @Override
    public PackedFormat convert(String text) {
        PackedFormat format = FORMATS.get(text);
        if (format == null) {
            throw new TypeConversionException(
                    "'" + text + "' is not a format; use one of " + String.join(", ", FORMATS.keySet()));
        }
        return format;
    }
}
