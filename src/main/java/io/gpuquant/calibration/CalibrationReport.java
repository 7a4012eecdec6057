package io.gpuquant.calibration;

import java.nio.file.Path;

/**
 * What was calibrated with.
 *
 * @param file the text
 * @param textField the field of the text that was read
 * @param documents documents in the file that have text
 * @param tokens tokens of all documents, special tokens included
 * @param sequenceLength tokens of a sequence
 * @param sequencesAvailable sequences that the tokens make
 * @param sequencesUsed sequences that were chosen
 * @param seed decided the choice
 * @param sha256 {@link TokenSequences#sha256()} of the chosen sequences
 * @param coverage the fraction of {@code tokens} that is in a chosen sequence, from 0 to 1
 */
public record CalibrationReport(
        Path file,
        String textField,
        long documents,
        long tokens,
        int sequenceLength,
        long sequencesAvailable,
        int sequencesUsed,
        long seed,
        String sha256,
        double coverage) {}
