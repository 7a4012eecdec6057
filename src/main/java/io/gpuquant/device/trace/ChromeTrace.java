package io.gpuquant.device.trace;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.gpuquant.ResourceException;
import io.gpuquant.device.Trace;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A timeline in the trace event format, which chrome://tracing and Perfetto show: a row for each thread of this process and
 * for each stream of a device. It is kept in memory, bounded, and written when it is closed.
 *
 * @see <a href="https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU">Trace Event Format</a>
 */
public final class ChromeTrace implements Trace, AutoCloseable {

    /** What is kept; the line of a span takes some 100 bytes of the file. */
    private static final int MOST_SPANS = 400_000;

    private static final int PROCESS = 1;

    /**
     * A span of time.
     *
     * @param count how many pieces of work of the same name it stands for
     */
    private record Complete(int track, String name, String category, long startNanos, long nanos, int count) {}

    private final Path file;
    private final int mostSpans;
    private final long origin = System.nanoTime();
    private final Map<String, Integer> tracks = new LinkedHashMap<>();
    private final List<Complete> spans = new ArrayList<>();
    private long leftOut;

    private ChromeTrace(Path file, int mostSpans) {
        this.file = file;
        this.mostSpans = mostSpans;
    }

    /**
     * Starts a timeline.
     *
     * @throws ResourceException when the file cannot be written
     */
    public static ChromeTrace to(Path file) {
        return to(file, MOST_SPANS);
    }

    static ChromeTrace to(Path file, int mostSpans) {
        try {
            Files.write(file, new byte[0]);
        } catch (IOException failure) {
            throw unwritable(file, failure);
        }
        return new ChromeTrace(file, mostSpans);
    }

    private static ResourceException unwritable(Path file, IOException failure) {
        return new ResourceException(
                "--trace " + file + " cannot be written (" + failure.getMessage() + "); give another file", failure);
    }

    @Override
    public Span begin(String name) {
        String track = "thread " + Thread.currentThread().getName();
        long start = System.nanoTime();
        return () -> add(track, name, "host", start, System.nanoTime() - start, 1);
    }

    /** Adds a span by the clock of {@link System#nanoTime}. */
    synchronized void add(String track, String name, String category, long startNanos, long nanos, int count) {
        int number = tracks.computeIfAbsent(track, added -> tracks.size() + 1);
        if (spans.size() < mostSpans) {
            spans.add(new Complete(number, name, category, startNanos, Math.max(0, nanos), count));
        } else {
            leftOut++;
        }
    }

    /**
     * Writes the file.
     *
     * @throws ResourceException when it cannot be written
     */
    @Override
    public synchronized void close() {
        try (OutputStream out = Files.newOutputStream(file);
                JsonGenerator json = new JsonFactory().createGenerator(out)) {
            json.writeStartObject();
            json.writeStringField("displayTimeUnit", "ms");
            json.writeNumberField("spansLeftOut", leftOut);
            json.writeArrayFieldStart("traceEvents");
            writeName(json, "process_name", 0, "gpuquant");
            for (Map.Entry<String, Integer> track : tracks.entrySet()) {
                writeName(json, "thread_name", track.getValue(), track.getKey());
            }
            for (Complete span : spans) {
                write(json, span);
            }
            json.writeEndArray();
            json.writeEndObject();
        } catch (IOException failure) {
            throw unwritable(file, failure);
        }
    }

    private static void writeName(JsonGenerator json, String kind, int track, String name) throws IOException {
        json.writeStartObject();
        json.writeStringField("ph", "M");
        json.writeStringField("name", kind);
        json.writeNumberField("pid", PROCESS);
        json.writeNumberField("tid", track);
        json.writeObjectFieldStart("args");
        json.writeStringField("name", name);
        json.writeEndObject();
        json.writeEndObject();
    }

    private void write(JsonGenerator json, Complete span) throws IOException {
        json.writeStartObject();
        json.writeStringField("ph", "X");
        json.writeStringField("name", span.name());
        json.writeStringField("cat", span.category());
        json.writeNumberField("pid", PROCESS);
        json.writeNumberField("tid", span.track());
        json.writeNumberField("ts", (span.startNanos() - origin) / 1e3);
        json.writeNumberField("dur", span.nanos() / 1e3);
        if (span.count() > 1) {
            json.writeObjectFieldStart("args");
            json.writeNumberField("count", span.count());
            json.writeEndObject();
        }
        json.writeEndObject();
    }
}
