package io.gpuquant.calibration;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.InputException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The documents of a file of rows. A row is a string, or an object with a string in the field that is asked for, or a
 * conversation: a list of messages in that field, or, where the field is the usual one and not there, in {@code messages} or
 * {@code conversations}.
 */
final class RowDocuments implements Documents {

    private static final int SHOWN_FIELDS = 12;
    private static final List<String> CONVERSATIONS = List.of("messages", "conversations");

    private final Path path;
    private final String field;
    private final Rows rows;
    private long count;
    private boolean anyText;

    RowDocuments(Path path, String field, Rows rows) {
        this.path = path;
        this.field = field;
        this.rows = rows;
    }

    @Override
    public @Nullable Document next() {
        for (JsonNode row = rows.next(); row != null; row = rows.next()) {
            count++;
            Document document = document(row);
            if (!(document instanceof Document.Text text && text.text().isBlank())) {
                anyText = true;
                return document;
            }
        }
        if (!anyText) {
            String item = rows.place().startsWith("line") ? "line" : "row";
            throw TextFile.withoutText(
                    path, count == 0 ? rows.emptiness() : "has no text in the field \"" + field + "\" of any " + item);
        }
        return null;
    }

    private Document document(JsonNode row) {
        if (row.isTextual()) {
            return new Document.Text(checked(row.textValue(), "in its string"));
        }
        if (!row.isObject()) {
            throw refuse("holds " + JsonText.describe(row) + ", not a JSON object; put one object "
                    + (rows.place().startsWith("line") ? "on each line" : "in each row"));
        }
        String found = present(row);
        JsonNode value = row.path(found);
        if (value.isArray()) {
            return new Conversation(path + " " + rows.place(), found).read(value, row.path("tools"));
        }
        if (!value.isTextual()) {
            throw refuse("has " + JsonText.describe(value) + " in the field \"" + found
                    + "\", not a string; name the field with the text with --text-field");
        }
        return new Document.Text(checked(value.textValue(), "in the field \"" + found + "\""));
    }

    /** The field of a row that is read. */
    private String present(JsonNode row) {
        if (row.has(field)) {
            return field;
        }
        if (field.equals(TextFile.DEFAULT_TEXT_FIELD)) {
            for (String conversation : CONVERSATIONS) {
                if (row.path(conversation).isArray()) {
                    return conversation;
                }
            }
        }
        throw refuse(
                "has no field \"" + field + "\" but " + fields(row) + "; name the one with the text with --text-field");
    }

    private String checked(String text, String where) {
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw refuse("has half a surrogate pair " + where + ", which is no Unicode text; fix or remove that "
                    + (rows.place().startsWith("line") ? "line" : "row"));
        }
        return text;
    }

    private static String fields(JsonNode object) {
        if (object.isEmpty()) {
            return "no field at all";
        }
        String names = object.properties().stream()
                .limit(SHOWN_FIELDS)
                .map(entry -> JsonText.quoted(entry.getKey()))
                .collect(Collectors.joining(", "));
        return object.size() > SHOWN_FIELDS ? names + ", …" : names;
    }

    private InputException refuse(String reason) {
        return new InputException(path + " " + rows.place() + " " + reason);
    }

    @Override
    public void close() {
        rows.close();
    }
}
