package io.gpuquant.device.trace;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gpuquant.device.Trace;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChromeTraceTest {

    @TempDir
    Path folder;

    @Test
    void keepsNoMoreThanItsBoundAndSaysWhatIsMissing() throws IOException {
        Path file = folder.resolve("trace.json");
        try (ChromeTrace trace = ChromeTrace.to(file, 3)) {
            for (int i = 0; i < 5; i++) {
                try (Trace.Span span = trace.begin("span " + i)) {
                    assertThat(span).isNotNull();
                }
            }
        }

        JsonNode json = new ObjectMapper().readTree(file.toFile());
        assertThat(json.path("spansLeftOut").asInt()).isEqualTo(2);
        // Three spans, the name of the process and that of the thread.
        assertThat(json.path("traceEvents")).hasSize(5);
    }

    @Test
    void timesAreMicrosecondsAndRowsAreKnownByName() throws IOException {
        Path file = folder.resolve("trace.json");
        try (ChromeTrace trace = ChromeTrace.to(file)) {
            long start = System.nanoTime();
            trace.add("a stream", "kernel \"k\"", "kernel", start, 2_500_000, 7);
        }

        JsonNode events = new ObjectMapper().readTree(file.toFile()).path("traceEvents");
        assertThat(events.get(1).path("args").path("name").asText()).isEqualTo("a stream");
        JsonNode span = events.get(2);
        assertThat(span.path("name").asText()).isEqualTo("kernel \"k\"");
        assertThat(span.path("tid")).isEqualTo(events.get(1).path("tid"));
        assertThat(span.path("dur").asDouble()).isEqualTo(2_500);
        assertThat(span.path("args").path("count").asInt()).isEqualTo(7);
    }
}
