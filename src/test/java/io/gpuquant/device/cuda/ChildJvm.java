package io.gpuquant.device.cuda;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.opentest4j.TestAbortedException;

/**
 * A process that runs test methods by name. It is asked on its standard input and answers with one line on its standard
 * output, {@code PASS}, {@code ABORT n} or {@code FAIL n}, followed by {@code n} lines of text.
 */
final class ChildJvm {

    private final Process process;
    private final BufferedWriter requests;
    private final BufferedReader answers;

    private ChildJvm(Process process) {
        this.process = process;
        this.requests = process.outputWriter();
        this.answers = process.inputReader();
    }

    static ChildJvm start(Class<?> testClass, String... arguments) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("-Xmx512m");
        command.add("--enable-native-access=ALL-UNNAMED");
        command.add("-Djava.library.path=" + System.getProperty("java.library.path"));
        // The coverage agent appends to its file when the process ends, so what runs in the child counts.
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(argument -> argument.startsWith("-javaagent:") && argument.contains("jacoco"))
                .forEach(command::add);
        command.addAll(List.of(arguments));
        command.addAll(List.of("-cp", System.getProperty("java.class.path")));
        command.addAll(List.of(ChildMain.class.getName(), testClass.getName()));
        return new ChildJvm(new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start());
    }

    /** Runs a method; fails or is aborted as the method is. */
    void run(String method) {
        try {
            requests.write(method);
            requests.newLine();
            requests.flush();
            String answer = String.valueOf(answers.readLine());
            String[] words = answer.split(" ");
            switch (words[0]) {
                case "PASS" -> {}
                case "ABORT" -> throw new TestAbortedException(text(Integer.parseInt(words[1])));
                case "FAIL" -> throw new AssertionError("in the child process: " + text(Integer.parseInt(words[1])));
                default ->
                    throw new AssertionError("the child process broke down in " + method + ": "
                            + Stream.concat(Stream.of(answer), answers.lines()).collect(Collectors.joining("\n")));
            }
        } catch (IOException e) {
            throw new UncheckedIOException("the child process is gone at " + method, e);
        }
    }

    private String text(int lines) throws IOException {
        List<String> text = new ArrayList<>();
        for (int i = 0; i < lines; i++) {
            text.add(answers.readLine());
        }
        return String.join("\n", text);
    }

    /** Lets the process end by itself, so that its coverage is written. */
    void stop() throws Exception {
        requests.close();
        if (!process.waitFor(60, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new AssertionError("the child process did not end");
        }
    }
}
