package io.gpuquant.calibration;

import org.jspecify.annotations.Nullable;

/** Reads the documents of a text file one after the other, in file order. */
interface Documents extends AutoCloseable {

    /** Bytes that one document may have in its file: the tokenizer needs 150 times as much memory (measured). */
    int MAX_DOCUMENT_BYTES = 32 << 20;

    /**
     * The next document that has any text besides white space, or null after the last.
     *
     * @throws io.gpuquant.InputException when the file cannot be read or is damaged, or when it ends and no document had
     *     text
     */
    @Nullable
    Document next();

    @Override
    void close();
}
