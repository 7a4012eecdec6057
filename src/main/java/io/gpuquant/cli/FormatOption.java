package io.gpuquant.cli;

import io.gpuquant.format.PackedFormat;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** In which format a checkpoint is written. */
final class FormatOption {

    @Option(
            names = "--format",
            paramLabel = "gptq|gptq_v2|awq|compressed-tensors",
            converter = FormatConverter.class,
            description =
                    "The checkpoint format: gptq or gptq_v2 for gptq and rtn, awq for awq and rtn, compressed-tensors for"
                            + " all. Default: that of the method; gptq for rtn.")
    private @Nullable PackedFormat format;

    /** The format that was asked for, or the usual one. */
    PackedFormat or(PackedFormat usual) {
        return format == null ? usual : format;
    }
}
