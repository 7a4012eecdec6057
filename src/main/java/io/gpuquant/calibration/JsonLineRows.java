package io.gpuquant.calibration;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.InputException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A {@code .jsonl} file: one value on each line that is not blank. */
final class JsonLineRows implements Rows {

    private final Path path;
    private final LineReader lines;

    JsonLineRows(Path path) {
        this.path = path;
        this.lines = new LineReader(path);
    }

    @Override
    public @Nullable JsonNode next() {
        for (String line = lines.next(); line != null; line = lines.next()) {
            if (!line.isBlank()) {
                return parse(line);
            }
        }
        return null;
    }

    private JsonNode parse(String line) {
        try {
            return JsonText.MAPPER.readTree(line);
        } catch (JsonProcessingException e) {
            throw new InputException(
                    path + " " + place() + " is not valid JSON at column "
                            + e.getLocation().getColumnNr() + "; fix or remove that line",
                    e);
        }
    }

    @Override
    public String place() {
        return "line " + lines.line();
    }

    @Override
    public String emptiness() {
        return lines.line() == 0 ? "is empty" : "has only blank lines";
    }

    @Override
    public void close() {
        lines.close();
    }
}
