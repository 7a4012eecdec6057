package io.gpuquant.calibration;

import io.gpuquant.InputException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * A file of documents to calibrate with or to evaluate on: {@code .jsonl}, one JSON object per line with the text in a
 * string field, or {@code .txt}, where the whole file is one document. Encoded in UTF-8, with or without a byte order mark.
 * In {@code .jsonl}, lines end with LF or CRLF and blank ones are skipped; a document of white space alone is skipped too.
 *
 * @param path where the file is
 * @param textField the field of a {@code .jsonl} line that holds the text; unused for {@code .txt}
 */
public record TextFile(Path path, String textField) {

    /** The field that holds the text unless another is named. */
    public static final String DEFAULT_TEXT_FIELD = "text";

    /**
     * @throws InputException when the file is missing, is a folder, or has another extension
     */
    public TextFile {
        if (!Files.exists(path)) {
            throw new InputException(path + " does not exist; give a .jsonl or .txt file");
        }
        if (Files.isDirectory(path)) {
            throw new InputException(path + " is a folder; give a .jsonl or .txt file");
        }
        if (!isJsonLines(path) && !isPlainText(path)) {
            throw new InputException(path
                    + " is neither .jsonl nor .txt; give one JSON object per line in a .jsonl file, or plain text in a"
                    + " .txt file");
        }
    }

    /** A file whose text is in the default field. */
    public TextFile(Path path) {
        this(path, DEFAULT_TEXT_FIELD);
    }

    /**
     * The text that comes with gpuquant, for those who give none of their own: prose, dialogue, code, data and sums, some of it
     * in other languages than English.
     */
    public static TextFile builtIn() {
        return new TextFile(BuiltInText.path());
    }

    /** Opens the file for reading from its start. */
    Documents documents() {
        return isJsonLines(path) ? new JsonLines(path, textField) : new PlainText(path);
    }

    /** The refusal of a file that the operating system does not let us read. */
    static InputException unreadable(Path path, IOException cause) {
        String reason = cause instanceof AccessDeniedException ? "permission denied" : cause.getMessage();
        return new InputException(path + " cannot be read (" + reason + "); check the file and its permissions", cause);
    }

    /** The refusal of a file without any text. */
    static InputException withoutText(Path path, String reason) {
        return new InputException(path + " " + reason + "; give a file that has text");
    }

    private static boolean isJsonLines(Path path) {
        return hasExtension(path, ".jsonl");
    }

    private static boolean isPlainText(Path path) {
        return hasExtension(path, ".txt");
    }

    private static boolean hasExtension(Path path, String extension) {
        return path.toString().toLowerCase(Locale.ROOT).endsWith(extension);
    }
}
