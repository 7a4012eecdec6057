package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;

/** The tool as a process of its own, which can be killed. */
final class ChildRun implements AutoCloseable {

    private static final long DEADLINE_SECONDS = 120;

    private final Process process;
    private final Path out;
    private final Path err;

    private ChildRun(Process process, Path out, Path err) {
        this.process = process;
        this.out = out;
        this.err = err;
    }

    /**
     * Starts a command line.
     *
     * @param logs a folder for what it prints
     */
    static ChildRun start(Path logs, Object... arguments) throws IOException {
        return start(logs, List.of(), arguments);
    }

    /**
     * Starts a command line.
     *
     * @param prefix words before the command that starts Java, such as those of a shell that sets a limit
     */
    static ChildRun start(Path logs, List<String> prefix, Object... arguments) throws IOException {
        return start(logs, prefix, Map.of(), Path.of(""), arguments);
    }

    /**
     * Starts a command line.
     *
     * @param environment what is added to the environment of this process
     * @param folder the current folder of the new one
     */
    static ChildRun start(
            Path logs, List<String> prefix, Map<String, String> environment, Path folder, Object... arguments)
            throws IOException {
        List<String> command = new ArrayList<>(prefix);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"));
        command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"));
        command.add("-Djava.library.path=" + System.getProperty("java.library.path"));
        command.addAll(List.of("-cp", classPath(), Main.class.getName()));
        Arrays.stream(arguments).map(String::valueOf).forEach(command::add);
        Path out = Files.createTempFile(logs, "out", ".txt");
        Path err = Files.createTempFile(logs, "err", ".txt");
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(folder.toAbsolutePath().toFile())
                .redirectOutput(out.toFile())
                .redirectError(err.toFile());
        builder.environment().putAll(environment);
        return new ChildRun(builder.start(), out, err);
    }

    /** The class path of this process, for one with another current folder. */
    private static String classPath() {
        return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .map(entry -> Path.of(entry).toAbsolutePath().toString())
                .collect(Collectors.joining(File.pathSeparator));
    }

    /** Waits until something holds or the process has come to a good end. */
    ChildRun waitUntil(BooleanSupplier condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(DEADLINE_SECONDS);
        while (!condition.getAsBoolean() && process.isAlive()) {
            assertThat(System.nanoTime()).isLessThan(deadline);
            Thread.sleep(1);
        }
        if (!process.isAlive()) {
            assertThat(process.exitValue()).as(Files.readString(err)).isZero();
        }
        return this;
    }

    /** Sends the process a signal by its name, such as STOP and CONT. */
    void signal(String name) throws Exception {
        Process kill = new ProcessBuilder("sh", "-c", "kill -" + name + " " + process.pid()).start();
        assertThat(kill.waitFor()).isZero();
    }

    /** Kills the process with SIGKILL. */
    void kill() throws Exception {
        process.destroyForcibly();
        assertThat(process.waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS)).isTrue();
    }

    /** Waits for the end. */
    CommandRun end() throws Exception {
        if (!process.waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new AssertionError("the process does not end: " + Files.readString(err));
        }
        return new CommandRun(process.exitValue(), Files.readString(out), Files.readString(err));
    }

    /** Waits for a good end; what it printed as JSON. */
    JsonNode json() throws Exception {
        return new ObjectMapper().readTree(end().requireDone().out());
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
