package io.gpuquant.calibration;

import io.gpuquant.InputException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Reads a UTF-8 file line by line, with numbers; a line ends with LF or CRLF, and nothing else ends a line. */
final class LineReader implements AutoCloseable {

    private final Path path;
    private final InputStream in;
    private final byte[] buffer = new byte[1 << 16];
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private int position;
    private int limit;
    private long line;

    LineReader(Path path) {
        this.path = path;
        try {
            this.in = TextFile.open(path);
        } catch (IOException e) {
            throw TextFile.unreadable(path, e);
        }
    }

    /**
     * The next line without its end, or null after the last.
     *
     * @throws InputException when the line cannot be read, is not UTF-8 or is longer than a document may be
     */
    @Nullable
    String next() {
        bytes.reset();
        boolean ended = false;
        boolean any = false;
        while (!ended && (position < limit || fill())) {
            any = true;
            int end = position;
            while (end < limit && buffer[end] != '\n') {
                end++;
            }
            bytes.write(buffer, position, end - position);
            ended = end < limit;
            position = ended ? end + 1 : end;
            if (bytes.size() > Documents.MAX_DOCUMENT_BYTES) {
                throw new InputException(path + " line " + (line + 1) + " is longer than "
                        + (Documents.MAX_DOCUMENT_BYTES >> 20) + " MiB; split that document");
            }
        }
        if (!any) {
            return null;
        }
        line++;
        String text = Utf8.decode(bytes.toByteArray(), path, line);
        return text.endsWith("\r") ? text.substring(0, text.length() - 1) : text;
    }

    /** The number of the line that was read last, counted from 1; 0 before the first. */
    long line() {
        return line;
    }

    private boolean fill() {
        try {
            position = 0;
            limit = Math.max(0, in.read(buffer));
            return limit > 0;
        } catch (IOException e) {
            throw TextFile.unreadable(path, e);
        }
    }

    @Override
    public void close() {
        try {
            in.close();
        } catch (IOException e) {
            throw TextFile.unreadable(path, e);
        }
    }
}
