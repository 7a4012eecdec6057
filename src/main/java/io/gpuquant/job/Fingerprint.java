package io.gpuquant.job;

import io.gpuquant.InputException;
import io.gpuquant.Version;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.tensor.HostTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.concurrent.TimeUnit;

/** A digest of everything that decides a job's output: a run may only be resumed by one that would make the same bytes. */
final class Fingerprint {

    /**
     * The version of the arithmetic. Whoever changes a bit of what the same command makes on the same device raises it, be
     * it by another order of sums, another block of a product, a kernel that rounds otherwise or a rule that decides
     * otherwise: layers of an unfinished output would otherwise be continued by other arithmetic than they were made with.
     * {@code ArithmeticTest} fails when the bytes of a small model change.
     */
    static final int ARITHMETIC = 2;

    /** Bytes of the start and of the end of each tensor that are taken; reading all of a large model takes too long. */
    private static final long SAMPLE = 4096;

    private final MessageDigest digest;

    /** Begins with the version of the program and of its arithmetic. */
    Fingerprint() {
        this(ARITHMETIC);
    }

    /** Begins with another version of the arithmetic, for tests. */
    Fingerprint(int arithmetic) {
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException impossible) {
            throw new AssertionError("every Java platform has SHA-256", impossible);
        }
        add("gpuquant", Version.number());
        add("arithmetic", arithmetic);
    }

    /** Adds a named value. */
    Fingerprint add(String name, Object value) {
        byte[] line = (name + "=" + value + "\n").getBytes(StandardCharsets.UTF_8);
        digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(line.length).array());
        digest.update(line);
        return this;
    }

    /** Adds a small file as a whole. */
    Fingerprint add(Path file) {
        try {
            byte[] content = Files.readAllBytes(file);
            add(file.getFileName().toString(), content.length);
            digest.update(content);
            return this;
        } catch (IOException failure) {
            throw unreadable(file, failure);
        }
    }

    private static InputException unreadable(Path file, IOException failure) {
        return new InputException(
                file + " cannot be read (" + failure.getMessage() + "); check its permissions", failure);
    }

    /**
     * Adds names, types, shapes and a sample of the content of all tensors, and when the files were last changed: a file that
     * was repaired has not become another where the samples are.
     */
    Fingerprint add(Checkpoint checkpoint) {
        for (Path file : checkpoint.files()) {
            try {
                add(
                        file.getFileName().toString(),
                        Files.getLastModifiedTime(file).to(TimeUnit.MICROSECONDS));
            } catch (IOException failure) {
                throw unreadable(file, failure);
            }
        }
        for (TensorInfo info : checkpoint.tensors()) {
            add(info.name(), info.dtype() + info.shape().toString());
            HostTensor tensor = checkpoint.stored(info.name());
            long size = tensor.byteSize();
            long head = Math.min(size, SAMPLE);
            digest.update(tensor.data().asSlice(0, head).asByteBuffer());
            long tail = Math.min(size - head, SAMPLE);
            digest.update(tensor.data().asSlice(size - tail, tail).asByteBuffer());
        }
        return this;
    }

    /** The digest in lower-case hexadecimal; ends the collection. */
    String hex() {
        return HexFormat.of().formatHex(digest.digest());
    }
}
