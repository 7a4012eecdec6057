package io.gpuquant.calibration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.hardwood.InputFile;
import dev.hardwood.reader.ParquetFileReader;
import dev.hardwood.reader.RowReader;
import dev.hardwood.row.PqList;
import dev.hardwood.row.PqStruct;
import dev.hardwood.row.StructAccessor;
import io.gpuquant.InputException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * A {@code .parquet} file, plain or compressed with Snappy, gzip or Zstandard. Only strings, numbers, truth values, and lists and
 * structures of such become JSON; what else a row has does not matter to text.
 */
final class ParquetRows implements Rows {

    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    /** The library tells at length how it works; held here because loggers that nobody holds forget their level. */
    private static final Logger LIBRARY = Logger.getLogger("dev.hardwood");

    static {
        LIBRARY.setLevel(Level.WARNING);
    }

    private final Path path;
    private final ParquetFileReader file;
    private final RowReader rows;
    private long row;

    ParquetRows(Path path) {
        this.path = path;
        ParquetFileReader opened = null;
        try {
            opened = ParquetFileReader.open(InputFile.of(path));
            file = opened;
            rows = opened.rowReader();
        } catch (IOException | RuntimeException e) {
            closeQuietly(opened);
            throw damaged(e);
        }
    }

    @Override
    public @Nullable JsonNode next() {
        try {
            if (!rows.hasNext()) {
                return null;
            }
            rows.next();
            row++;
            return object(rows);
        } catch (RuntimeException e) {
            throw damaged(e);
        }
    }

    private static ObjectNode object(StructAccessor struct) {
        ObjectNode object = JSON.objectNode();
        for (int i = 0; i < struct.getFieldCount(); i++) {
            JsonNode value = value(struct.isNull(i) ? null : struct.getValue(i));
            if (value != null) {
                object.set(struct.getFieldName(i), value);
            }
        }
        return object;
    }

    /** Null for a value that has no JSON. */
    private static @Nullable JsonNode value(@Nullable Object value) {
        return switch (value) {
            case null -> JSON.nullNode();
            case String text -> JSON.textNode(text);
            case byte[] bytes -> JSON.textNode(new String(bytes, StandardCharsets.UTF_8));
            case Boolean truth -> JSON.booleanNode(truth);
            case Integer number -> JSON.numberNode(number.longValue());
            case Long number -> JSON.numberNode(number);
            case Float number -> JSON.numberNode(number.doubleValue());
            case Double number -> JSON.numberNode(number);
            case PqStruct struct -> object(struct);
            case PqList list -> array(list);
            default -> null;
        };
    }

    private static ArrayNode array(PqList list) {
        ArrayNode array = JSON.arrayNode();
        for (Object item : list.values()) {
            JsonNode value = value(item);
            array.add(value == null ? JSON.nullNode() : value);
        }
        return array;
    }

    @Override
    public String place() {
        return "row " + row;
    }

    @Override
    public String emptiness() {
        return "has no rows";
    }

    @Override
    public void close() {
        try {
            rows.close();
            file.close();
        } catch (IOException e) {
            throw TextFile.unreadable(path, e);
        }
    }

    private static void closeQuietly(@Nullable ParquetFileReader file) {
        if (file != null) {
            try {
                file.close();
            } catch (IOException e) {
                // The file is refused anyway.
            }
        }
    }

    private InputException damaged(Exception cause) {
        return new InputException(
                path + " cannot be read as Parquet" + (row > 0 ? " after row " + row : "") + " (" + reason(cause)
                        + "); get the file again, or give the text in another format",
                cause);
    }

    private static String reason(Throwable cause) {
        Throwable root = cause;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        String message = root.getMessage();
        return message == null
                ? root.getClass().getSimpleName()
                : message.lines().findFirst().orElse("");
    }
}
