package io.gpuquant.job;

import io.gpuquant.InputException;
import io.gpuquant.VerificationException;
import io.gpuquant.gguf.BlockScales;
import io.gpuquant.gguf.GgufFile;
import io.gpuquant.gguf.GgufTensor;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalLong;

/** Reads GGUF files back, by code that shares nothing with what wrote them. */
final class GgufVerification {

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
                    throw new VerificationException(
                            path + ": " + tensor.name() + " is not what was written" + advice);
                }
            }
        } catch (InputException damaged) {
            throw new VerificationException(damaged.getMessage() + advice, damaged);
        }
    }

    /**
     * Checks that the scales of all blocks of a tensor are numbers.
     *
     * @throws VerificationException when one is not
     */
    static void requireFinite(Path file, GgufTensor tensor, MemorySegment data) {
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
