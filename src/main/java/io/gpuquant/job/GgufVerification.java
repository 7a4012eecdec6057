package io.gpuquant.job;

import io.gpuquant.InputException;
import io.gpuquant.VerificationException;
import io.gpuquant.gguf.BlockScales;
import io.gpuquant.gguf.GgufFile;
import io.gpuquant.gguf.GgufSet;
import io.gpuquant.gguf.GgufTensor;
import io.gpuquant.safetensors.Checkpoint;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/** Reads GGUF files back, by code that shares nothing with what wrote them. */
public final class GgufVerification {

    private GgufVerification() {}

    /**
     * Checks that a file is what was written.
     *
     * @param checksums CRC-32C of each tensor, by name
     */
    static void requireWritten(Path path, Map<String, Long> checksums) {
        String advice = "; the disk may be failing, delete " + path.getParent() + " and run again";
        try (GgufFile file = GgufFile.open(path)) {
            for (GgufTensor tensor : file.header().tensors()) {
                Long expected = checksums.get(tensor.name());
                if (expected == null || TensorOutput.checksum(file.data(tensor)) != expected) {
                    throw new VerificationException(path + ": " + tensor.name() + " is not what was written" + advice);
                }
            }
        } catch (InputException damaged) {
            throw new VerificationException(damaged.getMessage() + advice, damaged);
        }
    }

    /**
     * Checks that files are whole, and that every scale is a number.
     *
     * @param path a GGUF file, or one of a set
     * @param source the folder of the original checkpoint, to compare with
     * @throws VerificationException when something is wrong; the message names file and tensor
     * @throws InputException when there is no such file
     */
    public static Verification.Summary check(Path path, Optional<Path> source) {
        try (GgufSet set = open(path)) {
            int quantized = 0;
            for (GgufTensor tensor : set.tensors()) {
                requireFinite(set.fileOf(tensor).path(), tensor, set.data(tensor));
                quantized += tensor.type().isQuantized() ? 1 : 0;
            }
            if (source.isEmpty()) {
                return new Verification.Summary(set.tensors().size(), quantized, 0, 0, "");
            }
            try (Checkpoint original = Verification.original(source.get())) {
                return new GgufComparison(set, original).compare(quantized);
            }
        }
    }

    private static GgufSet open(Path path) {
        try {
            return GgufSet.open(path);
        } catch (InputException damaged) {
            if (Files.isRegularFile(path)) {
                throw new VerificationException(String.valueOf(damaged.getMessage()), damaged);
            }
            throw damaged;
        }
    }

    private static void requireFinite(Path file, GgufTensor tensor, MemorySegment data) {
        OptionalLong bad = BlockScales.firstNonFinite(tensor.type(), data);
        if (bad.isPresent()) {
            throw new VerificationException(file + ": " + tensor.name() + " has "
                    + (tensor.type().isQuantized()
                            ? "a scale that is a NaN or an infinity in block "
                            : "a NaN or an infinity at element ")
                    + bad.getAsLong() + "; get the file again");
        }
    }
}
