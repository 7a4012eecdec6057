package io.gpuquant.calibration;

import io.gpuquant.InputException;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/**
 * A file of documents to calibrate with or to evaluate on, encoded in UTF-8:
 *
 * <ul>
 *   <li>{@code .jsonl}, a JSON object on each line that is not blank; lines end with LF or CRLF
 *   <li>{@code .json}, a list of objects or strings
 *   <li>{@code .parquet}
 *   <li>{@code .txt}, where the whole file is one document
 * </ul>
 *
 * Each but the third may be compressed with gzip, and then has the extension {@code .gz} after its own. The text of an object
 * or row is in a string field, or is a conversation, which the chat template of the checkpoint makes text of. A document of
 * white space alone is skipped.
 *
 * @param path where the file is
 * @param textField the field that holds the text; unused for {@code .txt}
 */
public record TextFile(Path path, String textField) {

    /** The field that holds the text unless another is named. */
    public static final String DEFAULT_TEXT_FIELD = "text";

    /** The formats, for messages and help. */
    public static final String FORMATS =
            ".jsonl, .json, .parquet or .txt file, the first two and the last also with .gz";

    private static final String GZIP = ".gz";

    /**
     * @throws InputException when the file is missing, is a folder, or has another extension
     */
    public TextFile {
        if (!Files.exists(path)) {
            throw new InputException(path + " does not exist; give a " + FORMATS);
        }
        if (Files.isDirectory(path)) {
            throw new InputException(path + " is a folder; give a " + FORMATS);
        }
        if (Stream.of(".jsonl", ".json", ".txt", ".parquet").noneMatch(extension -> isNamed(path, extension))) {
            throw new InputException(path + " has an extension of another format; give a " + FORMATS);
        }
        if (isNamed(path, ".parquet") && hasExtension(path, GZIP)) {
            throw new InputException(path + " is compressed as a whole, which Parquet files are not; unpack it first");
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
        if (isNamed(path, ".txt")) {
            return new PlainText(path);
        }
        Rows rows = isNamed(path, ".jsonl")
                ? new JsonLineRows(path)
                : isNamed(path, ".json") ? new JsonListRows(path) : new ParquetRows(path);
        return new RowDocuments(path, textField, rows);
    }

    /** The bytes of a file, unpacked if its name ends as those of gzip do. */
    static InputStream open(Path path) throws IOException {
        InputStream in = Files.newInputStream(path);
        if (!hasExtension(path, GZIP)) {
            return in;
        }
        try {
            return new GZIPInputStream(in, 1 << 16);
        } catch (IOException e) {
            in.close();
            throw e;
        }
    }

    /** The refusal of a file that the operating system does not let us read, or that does not unpack. */
    static InputException unreadable(Path path, IOException cause) {
        if (cause instanceof EOFException || cause instanceof ZipException) {
            return new InputException(
                    path + " is damaged where it is compressed (" + cause.getMessage() + "); get the file again",
                    cause);
        }
        String reason = cause instanceof AccessDeniedException ? "permission denied" : cause.getMessage();
        return new InputException(path + " cannot be read (" + reason + "); check the file and its permissions", cause);
    }

    /** The refusal of a file without any text. */
    static InputException withoutText(Path path, String reason) {
        return new InputException(path + " " + reason + "; give a file that has text");
    }

    /** Whether a file has an extension, compressed or not. */
    private static boolean isNamed(Path path, String extension) {
        return hasExtension(path, extension) || hasExtension(path, extension + GZIP);
    }

    private static boolean hasExtension(Path path, String extension) {
        return path.toString().toLowerCase(Locale.ROOT).endsWith(extension);
    }
}
