package io.gpuquant.calibration;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import io.gpuquant.InputException;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A {@code .json} file: a list, whose items are read one after the other. */
final class JsonListRows implements Rows {

    /** After an item come more. */
    private static final ObjectReader ITEM =
            JsonText.MAPPER.reader().without(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private final Path path;
    private final JsonParser parser;
    private long row;
    private boolean ended;

    JsonListRows(Path path) {
        this.path = path;
        try {
            parser = JsonText.MAPPER.createParser(TextFile.open(path));
        } catch (IOException e) {
            throw TextFile.unreadable(path, e);
        }
    }

    @Override
    public @Nullable JsonNode next() {
        if (ended) {
            return null;
        }
        try {
            if (row == 0) {
                start();
            }
            JsonToken token = parser.nextToken();
            if (token == JsonToken.END_ARRAY) {
                if (parser.nextToken() != null) {
                    throw new InputException(path + " goes on after its list; give a .json file with one list");
                }
                ended = true;
                return null;
            }
            row++;
            if (token == null) {
                throw new InputException(path + " ends before its list does; get the file again");
            }
            long before = parser.currentLocation().getByteOffset();
            JsonNode value = ITEM.readTree(parser);
            if (parser.currentLocation().getByteOffset() - before > Documents.MAX_DOCUMENT_BYTES) {
                throw new InputException(path + " " + place() + " is longer than "
                        + (Documents.MAX_DOCUMENT_BYTES >> 20) + " MiB; split that document");
            }
            return value;
        } catch (JsonProcessingException e) {
            throw new InputException(
                    path + " is not valid JSON at line " + e.getLocation().getLineNr() + ", column "
                            + e.getLocation().getColumnNr() + "; fix or remove that row",
                    e);
        } catch (IOException e) {
            throw TextFile.unreadable(path, e);
        }
    }

    private void start() throws IOException {
        JsonToken first = parser.nextToken();
        if (first == null) {
            throw TextFile.withoutText(path, "is empty");
        }
        if (first != JsonToken.START_ARRAY) {
            throw new InputException(path + " holds " + (first == JsonToken.START_OBJECT ? "an object" : "no list")
                    + " where a list of objects or strings should be; one object on each line makes a .jsonl file");
        }
    }

    @Override
    public String place() {
        return "row " + row;
    }

    @Override
    public String emptiness() {
        return "has an empty list";
    }

    @Override
    public void close() {
        try {
            parser.close();
        } catch (IOException e) {
            throw TextFile.unreadable(path, e);
        }
    }
}
