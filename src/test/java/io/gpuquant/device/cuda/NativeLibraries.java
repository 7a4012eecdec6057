package io.gpuquant.device.cuda;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;

/** Compiles the C sources of the tests. */
final class NativeLibraries {

    private static final Path SOURCES = Path.of("src/test/c").toAbsolutePath();

    private static final Path TARGET = Path.of("target").toAbsolutePath();

    private NativeLibraries() {}

    /**
     * Compiles a source to a shared library in a new folder. The test is skipped where there is no C compiler.
     *
     * @param soname the library's name, for the file and for the loader
     * @param options further options of the compiler
     */
    static Path compile(String source, String soname, String... options) {
        try {
            Path folder = Files.createTempDirectory(Files.createDirectories(TARGET), "fake");
            Path library = folder.resolve(soname);
            List<String> command = new ArrayList<>(List.of("cc", "-std=gnu11", "-O1", "-shared", "-fPIC"));
            command.addAll(List.of("-Wall", "-Wextra", "-Werror", "-Wl,-soname," + soname, "-o", library.toString()));
            command.add(SOURCES.resolve(source).toString());
            command.addAll(List.of(options));
            Process compiler = start(command);
            String output = new String(compiler.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (compiler.waitFor() != 0) {
                throw new AssertionError(source + " does not compile: " + output);
            }
            // Files go in the opposite order, so the folder is empty when its turn comes.
            folder.toFile().deleteOnExit();
            library.toFile().deleteOnExit();
            return library;
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static Process start(List<String> command) {
        try {
            return new ProcessBuilder(command).redirectErrorStream(true).start();
        } catch (IOException e) {
            return Assumptions.abort("there is no C compiler (cc) to build the fake driver with: " + e.getMessage());
        }
    }
}
