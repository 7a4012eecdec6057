package io.gpuquant;

import org.jspecify.annotations.Nullable;

/** A file the user gave is missing, damaged or unsuitable; exit code 3. */
public non-sealed class InputException extends GpuQuantException {

    private static final long serialVersionUID = 1L;

    public InputException(String message) {
        this(message, null);
    }

    public InputException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }

    @Override
    public int exitCode() {
        return 3;
    }
}
