package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.Version;
import io.gpuquant.format.GptqVersion;
import io.gpuquant.job.QuantizationJobOptions;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

class GpuQuantCommandTest {

    private static final String[] COMMANDS = {"gptq", "rtn", "ppl", "verify", "inspect", "plan", "devices"};

    @TempDir
    Path folder;

    @Test
    void helpListsAllCommandsAndExitCodes() {
        CommandRun run = CommandRun.of("--help").requireDone();

        assertThat(run.out()).contains(COMMANDS).contains("Exit codes: 0 done", "5 verification failed");
    }

    @ParameterizedTest
    @ValueSource(strings = {"gptq", "rtn", "ppl", "verify", "inspect", "plan", "devices"})
    void everyCommandExplainsItself(String command) {
        assertThat(CommandRun.of(command, "--help").requireDone().out())
                .startsWith("Usage: gpuquant " + command)
                .contains("--json", "--debug");
    }

    @Test
    void gptqHasTheOptionsThatScriptsDependOn() {
        assertThat(CommandRun.of("gptq", "--help").out())
                .contains("--out", "--bits", "--group-size", "--[no-]sym", "--desc-act", "--static-groups")
                .contains("--[no-]gar", "--damp", "--mse", "--format", "--calibration", "--text-field", "--samples")
                .contains("--sequence-length", "--seed", "--device", "--device-memory", "--threads", "--overwrite")
                .contains("--json", "--quiet", "--debug");
    }

    @Test
    void versionIsThatOfTheBuild() {
        assertThat(CommandRun.of("--version").requireDone().out())
                .isEqualTo("gpuquant " + Version.number() + " (Java " + Runtime.version() + ")\n");
    }

    /** The script is loaded by a shell, which must know the commands afterwards. */
    @Test
    void completionScriptLoadsInBash() throws Exception {
        CommandRun run = CommandRun.of("generate-completion").requireDone();

        assertThat(run.out()).contains(COMMANDS).contains("--group-size");
        Path script = Files.writeString(folder.resolve("completion.sh"), run.out(), StandardCharsets.UTF_8);
        Process bash = new ProcessBuilder(
                        "bash", "-c", "source " + script + " && complete -p gpuquant && type _complete_gpuquant")
                .redirectErrorStream(true)
                .start();
        String said = new String(bash.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(bash.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(bash.exitValue()).as(said).isZero();
        assertThat(said).contains("complete -o default -F _complete_gpuquant gpuquant");
    }

    @Test
    void devicesListsTheProcessorLast() {
        CommandRun run = CommandRun.of("devices").requireDone();

        String last = run.out().lines().reduce("", (before, after) -> after);
        assertThat(last).startsWith("host ").contains("virtual sm_80", "GB", "virtual GPU and OpenBLAS");
        assertThat(run.out()).contains("cuda");
    }

    @Test
    void devicesSaysAsJsonWhatIsThereAndWhatIsNot() {
        JsonNode json = CommandRun.of("devices", "--json").requireDone().json();

        JsonNode host = json.path("devices").get(json.path("devices").size() - 1);
        assertThat(host.path("id").asText()).isEqualTo("host");
        assertThat(host.path("multiprocessors").asInt())
                .isEqualTo(Runtime.getRuntime().availableProcessors());
        assertThat(host.path("memory_bytes").asLong()).isGreaterThan(1L << 28);
        boolean gpu = json.path("devices").get(0).path("id").asText().startsWith("cuda");
        assertThat(json.path("missing").size()).isEqualTo(gpu ? 0 : 1);
        assertThat(json.path("missing"))
                .allMatch(missing -> !missing.path("reason").asText().isEmpty());
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1",
        "2b, 2",
        "3K, 3072",
        "3kib, 3072",
        "4kB, 4000",
        "5MiB, 5242880",
        "5M, 5242880",
        "6MB, 6000000",
        "1.5GiB, 1610612736",
        "7GB, 7000000000",
        "2T, 2199023255552",
        "1TiB, 1099511627776"
    })
    void sizesHaveDecimalAndBinaryUnits(String text, long bytes) {
        assertThat(new DeviceOption.SizeConverter().convert(text)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "GB", "-1GB", "0", "1XB", "1e30GB", "all", "1 2", "NaN"})
    void whatIsNoSizeIsRefused(String text) {
        assertThatThrownBy(() -> new DeviceOption.SizeConverter().convert(text))
                .isInstanceOf(TypeConversionException.class)
                .hasMessage("'" + text + "' is not a size such as 6GB or 512MiB");
    }

    @Test
    void processEndsWithTheExitCode() throws Exception {
        try (ChildRun child = ChildRun.start(folder, "inspect", folder.resolve("none"))) {
            child.end().requireRefused(3, folder.resolve("none") + " does not exist");
        }
    }

    @Test
    void namesTheOutputAfterTheModel() throws IOException {
        Path model = Files.createDirectory(folder.resolve("Llama"));
        Files.copy(Path.of("datasets/demo-llama/config.json"), model.resolve("config.json"));
        OutputOption option = new OutputOption();
        option.model = model;
        option.groupSize = -1;

        assertThat(option.toOptions(new QuantizationJobOptions.Rtn(), true, GptqVersion.V1)
                        .output())
                .isEqualTo(folder.resolve("Llama-rtn-4bit"));
        CommandRun.of("rtn", "/").requireRefused(2, "no name for the output follows from /; give one with --out");
    }
}
