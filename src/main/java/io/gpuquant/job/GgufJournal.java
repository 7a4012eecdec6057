package io.gpuquant.job;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gpuquant.Version;
import io.gpuquant.file.MappedFile;
import io.gpuquant.file.OutputFailure;
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
import java.util.stream.Collectors;

/**
 * Which tensors of a GGUF file are done for good: a line of JSON each, written and synced after the bytes it speaks of. A line
 * that a crash cut off does not count.
 */
final class GgufJournal implements AutoCloseable {

    private static final ObjectMapper JSON = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private final Path file;
    private final FileChannel channel;

    private GgufJournal(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /**
     * What an unfinished run has done.
     *
     * @param fingerprint of everything that decides the bytes; empty where there is no journal
     * @param checksums CRC-32C of each finished tensor, by name
     */
    record Done(String fingerprint, Map<String, Long> checksums) {}

    /** Reads the journal of a growing folder. */
    static Done read(Path folder) {
        Path file = folder.resolve(Journal.FILE);
        Map<String, Long> checksums = new LinkedHashMap<>();
        String fingerprint = "";
        if (!Files.isRegularFile(file)) {
            return new Done(fingerprint, checksums);
        }
        try {
            String text = Files.readString(file, StandardCharsets.UTF_8);
            for (int start = 0, end = text.indexOf('\n'); end >= 0; start = end + 1, end = text.indexOf('\n', start)) {
                JsonNode line = JSON.readTree(text.substring(start, end));
                if (start == 0) {
                    fingerprint = line.path("fingerprint").asText();
                } else if (line.path("tensor").isTextual()
                        && line.path("checksum").isIntegralNumber()) {
                    checksums.put(
                            line.path("tensor").textValue(),
                            line.path("checksum").longValue());
                } else {
                    break;
                }
            }
        } catch (JsonProcessingException damaged) {
            // What was read before the damage holds.
        } catch (IOException failure) {
            throw MappedFile.unreadable(file, failure);
        }
        return new Done(fingerprint, checksums);
    }

    /** Begins a journal, or goes on with one that has these tensors: written anew, so that a torn line does no harm. */
    static GgufJournal open(Path folder, Done done) {
        Path file = folder.resolve(Journal.FILE);
        Path fresh = folder.resolve(Journal.FILE + ".new");
        try {
            GgufJournal journal = new GgufJournal(
                    file,
                    FileChannel.open(
                            fresh,
                            StandardOpenOption.CREATE,
                            StandardOpenOption.WRITE,
                            StandardOpenOption.TRUNCATE_EXISTING));
            List<String> lines = new ArrayList<>();
            lines.add(JSON.createObjectNode()
                    .put("gpuquant", Version.number())
                    .put("fingerprint", done.fingerprint())
                    .toString());
            done.checksums().forEach((tensor, checksum) -> lines.add(line(tensor, checksum)));
            journal.append(lines);
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            return journal;
        } catch (IOException failure) {
            throw OutputFailure.of(file, failure);
        }
    }

    /** Notes tensors whose bytes have been synced. */
    void add(Map<String, Long> checksums) {
        append(checksums.entrySet().stream()
                .map(entry -> line(entry.getKey(), entry.getValue()))
                .toList());
    }

    private static String line(String tensor, long checksum) {
        return JSON.createObjectNode()
                .put("tensor", tensor)
                .put("checksum", checksum)
                .toString();
    }

    private void append(List<String> lines) {
        try {
            ByteBuffer bytes = ByteBuffer.wrap(lines.stream()
                    .map(line -> line + "\n")
                    .collect(Collectors.joining())
                    .getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            channel.force(true);
        } catch (IOException failure) {
            throw OutputFailure.of(file, failure);
        }
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
