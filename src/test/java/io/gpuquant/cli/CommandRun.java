package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Arrays;
import picocli.CommandLine;

/**
 * A command line that was run in this process.
 *
 * @param code the exit code
 * @param out what it printed on standard output
 * @param err what it printed on standard error
 */
record CommandRun(int code, String out, String err) {

    /** Runs a command line; arguments may be paths. */
    static CommandRun of(Object... arguments) {
        return of(Main.commandLine(), arguments);
    }

    /** Runs a command line that has been changed. */
    static CommandRun of(CommandLine changed, Object... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CommandLine command = changed.setOut(new PrintWriter(out))
                .setErr(new PrintWriter(err))
                .setColorScheme(CommandLine.Help.defaultColorScheme(CommandLine.Help.Ansi.OFF));
        int code = command.execute(Arrays.stream(arguments).map(String::valueOf).toArray(String[]::new));
        return new CommandRun(code, out.toString(), err.toString());
    }

    /** Fails unless the command went well; returns itself. */
    CommandRun requireDone() {
        assertThat(code).as(err).isZero();
        return this;
    }

    /** The output as JSON. */
    JsonNode json() {
        try {
            return new ObjectMapper().readTree(out);
        } catch (JsonProcessingException e) {
            throw new AssertionError("not JSON: " + out, e);
        }
    }

    /** Fails unless the command ended with this code and one sentence on standard error, with nothing on standard output. */
    void requireRefused(int expected, String... inSentence) {
        assertThat(code).as(err).isEqualTo(expected);
        assertThat(lastError()).contains(inSentence);
        assertThat(err.lines().filter(line -> line.startsWith("gpuquant: "))).hasSize(1);
        assertThat(err).doesNotContain("\tat ").doesNotContain("Exception");
        assertThat(out).isEmpty();
    }

    /** The sentence that says what is wrong: the last line on standard error. */
    String lastError() {
        return err.lines().reduce("", (first, second) -> second);
    }
}
