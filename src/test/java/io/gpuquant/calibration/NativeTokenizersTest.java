package io.gpuquant.calibration;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.GpuQuantException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Loads the native library in a fresh process each time, since a process can do it only once. */
class NativeTokenizersTest {

    private static final String TOKENS = "[0, 99]";
    private static final String LIBRARY = System.mapLibraryName("tokenizers");

    @TempDir
    Path folder;

    private Path home;
    private Path temporary;

    /** What the fresh process runs. */
    static final class Child {

        private Child() {}

        @SuppressWarnings("SystemOut") // its output is what the test looks at
        public static void main(String[] arguments) {
            try (TextTokenizer tokenizer = TextTokenizer.open(Path.of("datasets/demo-llama"), 1024)) {
                System.out.println(Arrays.toString(tokenizer.encode("a")));
            } catch (GpuQuantException e) {
                System.out.println(e.exitCode() + " " + e.getMessage());
            }
        }
    }

    private record Result(String out, String err) {}

    @BeforeEach
    void makeFolders() throws IOException {
        home = Files.createDirectory(folder.resolve("home"));
        temporary = Files.createDirectory(folder.resolve("tmp"));
    }

    @Test
    void leavesNothingBehindAndSaysNothing() throws Exception {
        assertThat(run(home)).isEqualTo(new Result(TOKENS, ""));
        assertThat(home).isEmptyDirectory();
        assertThat(files(temporary)).isEmpty();
    }

    @Test
    void needsNoHomeFolder() throws Exception {
        assertThat(run(folder.resolve("nowhere"))).isEqualTo(new Result(TOKENS, ""));
        assertThat(run(Path.of("?"))).isEqualTo(new Result(TOKENS, ""));
        assertThat(Path.of("?")).doesNotExist();
    }

    @Test
    void usesTheLibraryThatIsNamed() throws Exception {
        Path library = folder.resolve(LIBRARY);
        unpackLibraryTo(library);

        Result result = run(home, "-DRUST_LIBRARY_PATH=" + library, "-Djava.io.tmpdir=" + folder.resolve("nowhere"));

        assertThat(result.out()).isEqualTo(TOKENS);
        assertThat(library).exists();
    }

    @Test
    void saysWhatIsWrongWithTheLibraryThatIsNamed() throws Exception {
        Path library = Files.writeString(folder.resolve(LIBRARY), "no library");

        assertThat(run(home, "-DRUST_LIBRARY_PATH=" + library).out())
                .startsWith("4 the native tokenizer library cannot be loaded from " + library + " (")
                .contains("it needs glibc 2.34 or newer");
        assertThat(run(home, "-DRUST_LIBRARY_PATH=" + home).out())
                .isEqualTo("4 RUST_LIBRARY_PATH names " + home + ", which is no file; set it to the file " + LIBRARY
                        + " or not at all");
    }

    @Test
    void saysWhenThereIsNoPlaceToUnpackTo() throws Exception {
        Path nowhere = folder.resolve("nowhere");

        assertThat(run(home, "-Djava.io.tmpdir=" + nowhere).out())
                .startsWith("4 the native tokenizer library cannot be unpacked to " + nowhere + " (");
    }

    @Test
    void saysWhenThereIsNoLibraryForThePlatform() throws Exception {
        assertThat(run(home, "-Dos.arch=s390x").out())
                .startsWith("4 there is no native tokenizer library for this platform (linux-s390x)");
    }

    private Result run(Path userHome, String... options) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "--enable-native-access=ALL-UNNAMED",
                "-Duser.home=" + userHome,
                "-Djava.io.tmpdir=" + temporary));
        // A coverage agent of this process measures the new one too.
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(argument -> argument.startsWith("-javaagent:"))
                .forEach(command::add);
        command.addAll(List.of(options));
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Child.class.getName()));
        Path out = folder.resolve("out");
        Path err = folder.resolve("err");
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
        List.of("RUST_LIBRARY_PATH", "DJL_OFFLINE", "JAVA_TOOL_OPTIONS").forEach(builder.environment()::remove);
        builder.environment().put("XDG_CACHE_HOME", temporary.toString());
        builder.start().waitFor();
        return new Result(
                Files.readString(out).strip(),
                Files.readString(err, StandardCharsets.UTF_8).strip());
    }

    private static List<Path> files(Path root) throws IOException {
        try (Stream<Path> paths = Files.walk(root)) {
            return paths.filter(Files::isRegularFile).toList();
        }
    }

    private static void unpackLibraryTo(Path target) throws IOException {
        try (InputStream in =
                NativeTokenizersTest.class.getResourceAsStream("/native/lib/linux-x86_64/cpu/" + LIBRARY)) {
            Files.copy(Objects.requireNonNull(in), target);
        }
    }
}
