package io.gpuquant.job;

import io.gpuquant.format.BnbType;
import io.gpuquant.format.CompressedPreset;
import io.gpuquant.tensor.DType;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What the user asked for.
 *
 * @param model the folder of the checkpoint
 * @param output the folder to make
 * @param overwrite whether a finished output of that name may be replaced
 * @param command the name of the command, for reports
 * @param smoothing how much of the outliers of activations goes into the weights, from 0, for nothing, to 1
 * @param calibration where the ranges of activations come from; null where none are needed
 */
public record ElementJobOptions(
        Path model,
        Path output,
        boolean overwrite,
        String command,
        Target target,
        double smoothing,
        QuantizationJobOptions.@Nullable Calibration calibration) {

    public ElementJobOptions {
        boolean needed = smoothing > 0
                || target instanceof Compressed compressed
                        && compressed.preset().needsRanges();
        if (needed != (calibration != null)) {
            throw new IllegalArgumentException(target + " smoothed by " + smoothing + " with " + calibration);
        }
    }

    /** What the linears are made. */
    public sealed interface Target {}

    /**
     * The format of bitsandbytes.
     *
     * @param computeType what engines compute four-bit linears in
     */
    public record Bnb(BnbType type, boolean doubleQuant, DType computeType) implements Target {}

    /** FP8 in blocks of 128 by 128, as transformers has it. */
    public record Fp8Blocks() implements Target {}

    /** A preset of compressed-tensors. */
    public record Compressed(CompressedPreset preset) implements Target {}
}
