package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gpuquant.job.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@code --trace} writes. */
class TraceTest {

    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"gptq", "awq", "rtn"})
    void rowsHaveNamesAndSpansLieWithinEachOther(String command) throws IOException {
        Path model = TinyModel.narrow().write(folder.resolve("model"));
        Path plain = folder.resolve("plain");
        Path traced = folder.resolve("traced");
        Path file = folder.resolve("trace.json");
        List<Object> arguments = new ArrayList<>(List.of(command, model, "--group-size", "32", "--device", "host"));
        if (!command.equals("rtn")) {
            arguments.addAll(List.of("--samples", "3", "--sequence-length", "32"));
        }
        CommandRun.of(with(arguments, "--out", plain)).requireDone();
        CommandRun.of(with(arguments, "--out", traced, "--trace", file)).requireDone();

        assertThat(traced.resolve("model.safetensors")).hasSameBinaryContentAs(plain.resolve("model.safetensors"));
        JsonNode trace = new ObjectMapper().readTree(file.toFile());
        assertThat(trace.path("spansLeftOut").asLong()).isZero();
        Map<Integer, String> rows = new HashMap<>();
        Map<String, List<JsonNode>> spans = new HashMap<>();
        for (JsonNode event : trace.path("traceEvents")) {
            assertThat(event.path("pid").asInt()).isEqualTo(1);
            if (event.path("ph").asText().equals("M")) {
                rows.put(
                        event.path("tid").asInt(),
                        event.path("args").path("name").asText());
            } else {
                assertThat(event.path("ph").asText()).isEqualTo("X");
                assertThat(event.path("ts").isNumber() && event.path("dur").isNumber())
                        .isTrue();
                assertThat(event.path("dur").asDouble()).isNotNegative();
                assertThat(event.path("ts").asDouble()).isNotNegative();
                spans.computeIfAbsent(rows.get(event.path("tid").asInt()), row -> new ArrayList<>())
                        .add(event);
            }
        }
        assertThat(rows.values()).contains("gpuquant", "host compute", "thread writer", "thread prefetch");
        assertThat(rows).containsEntry(0, "gpuquant");
        spans.forEach(TraceTest::assertNested);
        assertThat(spans.get("thread writer")).hasSizeGreaterThan(40);
        assertThat(Objects.requireNonNull(spans.get("host compute")).stream()
                        .map(span -> span.path("cat").asText()))
                .contains("kernel", "copy");
    }

    private static Object[] with(List<Object> arguments, Object... more) {
        List<Object> all = new ArrayList<>(arguments);
        all.addAll(List.of(more));
        return all.toArray();
    }

    /** Two spans of a row do not cross. */
    private static void assertNested(String row, List<JsonNode> spans) {
        for (JsonNode one : spans.subList(0, Math.min(200, spans.size()))) {
            for (JsonNode other : spans) {
                boolean crosses = start(one) < start(other) && start(other) < end(one) && end(one) < end(other);
                assertThat(crosses).as(row + ": " + one + " and " + other).isFalse();
            }
        }
    }

    private static double start(JsonNode span) {
        return span.path("ts").asDouble();
    }

    private static double end(JsonNode span) {
        return start(span) + span.path("dur").asDouble() - 0.002;
    }

    @Test
    void evaluationHasOneToo() throws IOException {
        Path model = TinyModel.narrow().write(folder.resolve("model"));
        Path text = TinyModel.writeText(folder.resolve("text.jsonl"));
        Path file = folder.resolve("trace.json");

        CommandRun.of("ppl", model, "--text", text, "--device", "host", "--trace", file)
                .requireDone();

        assertThat(Files.readString(file)).contains("\"host compute\"", "\"rms_norm");
    }

    @Test
    void fileThatCannotBeWrittenIsSaidBeforeAnythingIsDone() {
        Path model = TinyModel.narrow().write(folder.resolve("model"));

        CommandRun.of(
                        "rtn",
                        model,
                        "--group-size",
                        "32",
                        "--trace",
                        folder.resolve("none").resolve("trace.json"))
                .requireRefused(4, "--trace", "cannot be written", "give another file");
        assertThat(folder.resolve("model-rtn-4bit-g32")).doesNotExist();
    }
}
