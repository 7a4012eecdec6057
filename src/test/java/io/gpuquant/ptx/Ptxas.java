package io.gpuquant.ptx;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;

/** NVIDIA's PTX assembler, where it is installed. */
final class Ptxas {

    private static final Pattern ERROR = Pattern.compile("line (\\d+); (?:error|fatal)\\s*: (.*)");

    private Ptxas() {}

    /** Skips the test that calls this where there is no assembler. */
    static void requirePresent() {
        Assumptions.assumeTrue(isPresent(), "ptxas is not on the PATH, so nothing was assembled");
    }

    private static boolean isPresent() {
        String path = Optional.ofNullable(System.getenv("PATH")).orElse("");
        for (String folder : path.split(java.io.File.pathSeparator)) {
            if (Files.isExecutable(Path.of(folder.isEmpty() ? "." : folder, "ptxas"))) {
                return true;
            }
        }
        return false;
    }

    /** What is wrong with a PTX text for sm_80, by line; nothing when it assembles. */
    static SortedMap<Integer, String> errors(Path folder, String text) {
        try {
            Path source = Files.writeString(folder.resolve("module.ptx"), text);
            Process process = new ProcessBuilder("ptxas", "-arch=sm_80", "-o", "/dev/null", source.toString())
                    .redirectErrorStream(true)
                    .start();
            String output =
                    new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
            int status = process.waitFor();
            SortedMap<Integer, String> errors = new TreeMap<>();
            output.lines().forEach(line -> {
                Matcher matcher = ERROR.matcher(line);
                if (matcher.find()) {
                    errors.putIfAbsent(Integer.parseInt(matcher.group(1)), matcher.group(2));
                }
            });
            if (status != 0 && errors.isEmpty()) {
                errors.put(0, output);
            }
            return errors;
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        } catch (InterruptedException failure) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(failure);
        }
    }
}
