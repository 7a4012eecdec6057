package io.gpuquant.evaluate;

import io.gpuquant.ResourceException;
import io.gpuquant.calibration.TokenSequences;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** Writes scores as JSON lines: {@code {"sequence":0,"position":1,"token":17,"logprob":-0.25}}. */
public final class LogProbabilityFile {

    private LogProbabilityFile() {}

    /**
     * Writes a file; it appears under its name only when it is complete.
     *
     * @throws ResourceException when it cannot be written
     */
    public static void write(Path file, TokenSequences sequences, TokenScores scores) {
        Path partial = file.resolveSibling(file.getFileName() + ".partial");
        try {
            try (BufferedWriter writer = Files.newBufferedWriter(partial, StandardCharsets.US_ASCII)) {
                for (int i = 0; i < sequences.count(); i++) {
                    writeSequence(writer, i, sequences.sequence(i), scores.ofSequence(i));
                }
            }
            Files.move(partial, file, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException failure) {
            deleteQuietly(partial);
            throw new ResourceException(
                    "--logprobs " + file + " cannot be written (" + failure.getMessage()
                            + "); choose a file in a folder that exists, is writable and has space",
                    failure);
        }
    }

    private static void writeSequence(BufferedWriter writer, int sequence, int[] ids, float[] logProbabilities)
            throws IOException {
        for (int position = 1; position < ids.length; position++) {
            writer.write("{\"sequence\":" + sequence + ",\"position\":" + position + ",\"token\":" + ids[position]
                    + ",\"logprob\":" + number(logProbabilities[position - 1]) + "}\n");
        }
    }

    /** JSON has no infinities; a probability that underflowed is written as the smallest that did not. */
    private static String number(float value) {
        return Float.toString(Math.max(value, -Float.MAX_VALUE));
    }

    private static void deleteQuietly(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException ignored) {
            // The failure that is about to be reported says more than this one.
        }
    }
}
