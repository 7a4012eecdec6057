package io.gpuquant.calibration;

import com.fasterxml.jackson.databind.JsonNode;
import org.jspecify.annotations.Nullable;

/** Reads the rows of a file one after the other, as JSON values. */
interface Rows extends AutoCloseable {

    /**
     * The next row, or null after the last.
     *
     * @throws io.gpuquant.InputException when the file cannot be read or is damaged
     */
    @Nullable
    JsonNode next();

    /** Where the row is that was read last, such as {@code line 3}. */
    String place();

    /** What to say of a file that has no rows. */
    String emptiness();

    @Override
    void close();
}
