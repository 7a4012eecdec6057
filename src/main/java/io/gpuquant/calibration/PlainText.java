package io.gpuquant.calibration;

import io.gpuquant.InputException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A {@code .txt} file: one document, exactly as it is. */
final class PlainText implements Documents {

    private final Path path;
    private boolean read;

    PlainText(Path path) {
        this.path = path;
    }

    @Override
    public @Nullable Document next() {
        if (read) {
            return null;
        }
        read = true;
        byte[] bytes = bytes();
        if (bytes.length > MAX_DOCUMENT_BYTES) {
            throw new InputException(path + " is larger than " + (MAX_DOCUMENT_BYTES >> 20)
                    + " MiB, too much for one document; split it into documents, one per line of a .jsonl file");
        }
        String text = Utf8.decode(bytes, path, 1);
        if (text.isBlank()) {
            throw TextFile.withoutText(path, bytes.length == 0 ? "is empty" : "has nothing but white space");
        }
        return new Document.Text(text);
    }

    private byte[] bytes() {
        try (InputStream in = TextFile.open(path)) {
            return in.readNBytes(MAX_DOCUMENT_BYTES + 1);
        } catch (IOException e) {
            throw TextFile.unreadable(path, e);
        }
    }

    @Override
    public void close() {
        // Nothing stays open between calls.
    }
}
