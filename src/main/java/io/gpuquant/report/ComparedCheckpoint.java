package io.gpuquant.report;

import io.gpuquant.evaluate.MagnitudeHistogram;
import io.gpuquant.evaluate.ModelScores;
import java.nio.file.Path;

/**
 * A checkpoint and what was found of it.
 *
 * @param format in words, such as {@code GPTQ 4-bit g128}
 * @param bytes of all its tensors
 * @param bitsPerWeight of the weights that the base has
 * @param scales magnitudes of its stored scales; empty when nothing is quantized
 */
public record ComparedCheckpoint(
        Path folder, String format, long bytes, double bitsPerWeight, ModelScores scores, MagnitudeHistogram scales) {

    /** The last part of its folder's name. */
    public String name() {
        Path last = folder.toAbsolutePath().normalize().getFileName();
        return last == null ? folder.toString() : last.toString();
    }
}
