package io.gpuquant.job;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.ResourceException;
import io.gpuquant.Version;
import io.gpuquant.quantize.LinearReport;
import io.gpuquant.quantize.ScaleReport;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What of a job is done for good: a line of JSON each, written and synced after the bytes it speaks of. A line that a crash
 * cut off does not count.
 */
final class Journal implements AutoCloseable {

    /** Its name in the growing folder. */
    static final String FILE = ".journal";

    private static final ObjectMapper JSON = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    /**
     * A decoder layer that is done.
     *
     * @param scales how AWQ's searches went; empty for other methods
     * @param checksums CRC-32C of each tensor, by name
     */
    record LayerEntry(int layer, List<LinearReport> reports, List<ScaleReport> scales, Map<String, Long> checksums) {}

    private final Path file;
    private final FileChannel channel;
    private final List<LayerEntry> layers;

    private Journal(Path file, FileChannel channel, List<LayerEntry> layers) {
        this.file = file;
        this.channel = channel;
        this.layers = new ArrayList<>(layers);
    }

    /** The fingerprint of the run that a growing folder belongs to; empty when it holds no readable journal. */
    static Optional<String> fingerprintIn(Path folder) {
        List<JsonNode> lines = read(folder.resolve(FILE));
        return lines.isEmpty()
                ? Optional.empty()
                : Optional.of(lines.getFirst().path("fingerprint").asText());
    }

    /** How many layers the journal of a growing folder has; none where there is no journal. */
    static int layersIn(Path folder) {
        return Math.max(0, read(folder.resolve(FILE)).size() - 1);
    }

    /** Starts the journal of a new run, whose files have been laid out. */
    static Journal create(Path folder, String fingerprint) {
        ObjectNode head =
                JSON.createObjectNode().put("gpuquant", Version.number()).put("fingerprint", fingerprint);
        return start(folder, List.of(head), List.of());
    }

    /** Goes on with the journal of a run that was interrupted. */
    static Journal resume(Path folder) {
        List<JsonNode> lines = read(folder.resolve(FILE));
        List<LayerEntry> layers =
                lines.subList(1, lines.size()).stream().map(Journal::entry).toList();
        return start(folder, lines, layers);
    }

    /** Writes all lines anew under another name first, so that neither a torn line nor a crash here does harm. */
    private static Journal start(Path folder, List<? extends JsonNode> lines, List<LayerEntry> layers) {
        Path file = folder.resolve(FILE);
        Path fresh = folder.resolve(FILE + ".new");
        try {
            FileChannel channel = FileChannel.open(
                    fresh, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING);
            Journal journal = new Journal(file, channel, layers);
            lines.forEach(journal::append);
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            return journal;
        } catch (IOException failure) {
            throw failure(file, failure);
        }
    }

    private static List<JsonNode> read(Path file) {
        List<JsonNode> lines = new ArrayList<>();
        if (!Files.isRegularFile(file)) {
            return lines;
        }
        try {
            String text = Files.readString(file, StandardCharsets.UTF_8);
            for (int start = 0, end = text.indexOf('\n'); end >= 0; start = end + 1, end = text.indexOf('\n', start)) {
                JsonNode line = JSON.readTree(text.substring(start, end));
                if (!isNext(line, lines.size())) {
                    return lines;
                }
                lines.add(line);
            }
        } catch (JsonProcessingException damaged) {
            return lines;
        } catch (IOException failure) {
            throw failure(file, failure);
        }
        return lines;
    }

    /** Whether a line can have this place in a journal. What follows one that cannot is not to be relied on either. */
    private static boolean isNext(JsonNode line, int index) {
        return index == 0
                ? line.path("fingerprint").isTextual()
                : line.path("layer").asInt(-1) == index - 1
                        && line.path("checksums").isObject();
    }

    private static LayerEntry entry(JsonNode line) {
        List<LinearReport> reports = new ArrayList<>();
        for (JsonNode report : line.path("reports")) {
            reports.add(new LinearReport(
                    report.path("name").asText(),
                    report.path("method").asText(),
                    report.path("error").asDouble(),
                    report.path("damping").asDouble(),
                    report.path("dead").asInt(),
                    report.path("note").asText()));
        }
        List<ScaleReport> scales = new ArrayList<>();
        for (JsonNode scale : line.path("scales")) {
            List<String> linears = new ArrayList<>();
            scale.path("linears").forEach(name -> linears.add(name.asText()));
            scales.add(new ScaleReport(
                    scale.path("previous").asText(),
                    linears,
                    scale.path("ratio").isNumber() ? scale.path("ratio").asDouble() : null,
                    scale.path("without").asDouble(),
                    scale.path("loss").asDouble()));
        }
        Map<String, Long> checksums = new LinkedHashMap<>();
        line.path("checksums")
                .properties()
                .forEach(entry -> checksums.put(entry.getKey(), entry.getValue().asLong()));
        return new LayerEntry(line.path("layer").asInt(), reports, scales, checksums);
    }

    /** The layers that are done, in order. */
    List<LayerEntry> layers() {
        return List.copyOf(layers);
    }

    /** Notes that a layer is done; its bytes must have been synced. */
    void add(LayerEntry entry) {
        ObjectNode line = JSON.createObjectNode().put("layer", entry.layer());
        ArrayNode reports = line.putArray("reports");
        entry.reports()
                .forEach(report -> reports.addObject()
                        .put("name", report.name())
                        .put("method", report.method())
                        .put("error", report.error())
                        .put("damping", report.damping())
                        .put("dead", report.deadFeatures())
                        .put("note", report.note()));
        if (!entry.scales().isEmpty()) {
            ArrayNode scales = line.putArray("scales");
            for (ScaleReport report : entry.scales()) {
                ObjectNode scale = scales.addObject();
                scale.put("previous", report.previous());
                report.linears().forEach(scale.putArray("linears")::add);
                scale.put("ratio", report.ratio());
                scale.put("without", report.lossWithout());
                scale.put("loss", report.loss());
            }
        }
        ObjectNode checksums = line.putObject("checksums");
        entry.checksums().forEach(checksums::put);
        append(line);
        layers.add(entry);
    }

    private void append(JsonNode line) {
        try {
            ByteBuffer bytes = ByteBuffer.wrap((JSON.writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            channel.force(true);
        } catch (IOException failure) {
            throw failure(file, failure);
        }
    }

    private static ResourceException failure(Path file, IOException failure) {
        return new ResourceException(
                file + " cannot be written (" + failure.getMessage()
                        + "); make room on the disk and run the same command",
                failure);
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException ignored) {
            // Every line was synced when it was written.
        }
    }
}
