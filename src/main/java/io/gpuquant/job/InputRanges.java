package io.gpuquant.job;

import io.gpuquant.ResourceException;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The largest magnitude of every input feature of every stage over all calibration tokens. A run that was killed after it had
 * them does not look for them again.
 */
final class InputRanges {

    /** Its name in the growing folder. */
    static final String FILE = ".ranges";

    private final Map<String, float[]> byFirstLinear = new LinkedHashMap<>();

    /**
     * Adds a stage.
     *
     * @param linear the name of its first linear
     */
    void put(String linear, float[] maxima) {
        byFirstLinear.put(linear, maxima.clone());
    }

    /** The largest magnitudes of the input features of a stage. */
    float[] of(String linear) {
        return Objects.requireNonNull(byFirstLinear.get(linear), linear).clone();
    }

    /** The largest of them; zero for a stage that no token came to. */
    float most(String linear) {
        float most = 0;
        for (float value : byFirstLinear.getOrDefault(linear, new float[0])) {
            most = Math.max(most, value);
        }
        return most;
    }

    /**
     * Keeps them for another run.
     *
     * @param fingerprint of everything they depend on
     */
    void save(Path folder, String fingerprint) {
        Path file = folder.resolve(FILE);
        Path fresh = folder.resolve(FILE + ".new");
        try {
            try (DataOutputStream out = new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(fresh)))) {
                out.writeUTF(fingerprint);
                out.writeInt(byFirstLinear.size());
                for (Map.Entry<String, float[]> entry : byFirstLinear.entrySet()) {
                    out.writeUTF(entry.getKey());
                    out.writeInt(entry.getValue().length);
                    for (float value : entry.getValue()) {
                        out.writeFloat(value);
                    }
                }
                out.writeInt(hash());
            }
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException failure) {
            throw new ResourceException(
                    file + " cannot be written (" + failure.getMessage()
                            + "); make room on the disk and run the same command",
                    failure);
        }
    }

    private int hash() {
        int hash = 0;
        for (Map.Entry<String, float[]> entry : byFirstLinear.entrySet()) {
            hash = 31 * hash + entry.getKey().hashCode() ^ Arrays.hashCode(entry.getValue());
        }
        return hash;
    }

    /** What an earlier run of the same fingerprint kept, if it is whole. */
    static Optional<InputRanges> read(Path folder, String fingerprint) {
        Path file = folder.resolve(FILE);
        if (!Files.isRegularFile(file)) {
            return Optional.empty();
        }
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(Files.newInputStream(file)))) {
            return in.readUTF().equals(fingerprint) ? Optional.ofNullable(parse(in)) : Optional.empty();
        } catch (IOException damaged) {
            return Optional.empty();
        }
    }

    private static @Nullable InputRanges parse(DataInputStream in) throws IOException {
        InputRanges ranges = new InputRanges();
        int count = in.readInt();
        for (int i = 0; i < count; i++) {
            String name = in.readUTF();
            float[] maxima = new float[in.readInt()];
            for (int j = 0; j < maxima.length; j++) {
                maxima[j] = in.readFloat();
            }
            ranges.byFirstLinear.put(name, maxima);
        }
        return in.readInt() == ranges.hash() ? ranges : null;
    }
}
