package io.gpuquant.job;

import io.gpuquant.calibration.TextFile;
import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * What importance is to be measured with.
 *
 * @param text what the model reads
 * @param chunkSize tokens of a piece of it
 * @param chunks the most pieces
 * @param processOutput whether the output head is measured too
 */
public record ImportanceOptions(
        Path model, Path output, TextFile text, int chunkSize, OptionalLong chunks, boolean processOutput) {}
