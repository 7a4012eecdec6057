package io.gpuquant.device.trace;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StreamTraceTest {

    @TempDir
    Path folder;

    @Test
    void threadsThatShareAStreamHaveTheirOwnSpans() throws IOException {
        List<String> spans = spans(trace -> {
            Thread other = new Thread(() -> {
                trace.note("copy", "copy", () -> {});
                trace.note("copy", "copy", () -> {});
            });
            trace.note("norm", "kernel", () -> {});
            trace.note("norm", "kernel", () -> {
                other.start();
                join(other);
            });
            trace.note("norm", "kernel", () -> {});
        });
        assertThat(spans).containsExactlyInAnyOrder("norm 3", "copy 2");
    }

    @Test
    void whatIsQueuedWhileAnotherThreadQueuesIsNotLost() throws IOException {
        List<String> spans = spans(trace -> {
            Thread other = new Thread(() -> trace.note("copy", "copy", () -> {}));
            trace.note("norm", "kernel", () -> {
                other.start();
                join(other);
            });
            trace.interrupt();
            trace.note("norm", "kernel", () -> {});
        });
        assertThat(spans).containsExactlyInAnyOrder("norm 1", "norm 1", "copy 1");
    }

    /** What a use of a stream's row leaves in the file: names and counts. */
    private List<String> spans(Consumer<StreamTrace> use) throws IOException {
        Path file = folder.resolve("trace.json");
        try (HostDevice device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1));
                ChromeTrace timeline = ChromeTrace.to(file)) {
            StreamTrace trace =
                    new StreamTrace(timeline, "stream", StreamTrace.Origin.now(device.stream()), device.stream());
            use.accept(trace);
            trace.finish();
        }
        List<String> spans = new ArrayList<>();
        for (JsonNode event : new ObjectMapper().readTree(file.toFile()).path("traceEvents")) {
            if (event.path("ph").asText().equals("X")) {
                spans.add(event.path("name").asText() + " "
                        + event.path("args").path("count").asInt(1));
            }
        }
        return spans;
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
