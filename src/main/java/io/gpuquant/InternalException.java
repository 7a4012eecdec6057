package io.gpuquant;

import org.jspecify.annotations.Nullable;

/** A fault of gpuquant itself, such as a kernel that reads outside its buffers; exit code 1. */
public non-sealed class InternalException extends GpuQuantException {

    private static final long serialVersionUID = 1L;

    public InternalException(String message) {
        this(message, null);
    }

    public InternalException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }

    @Override
    public int exitCode() {
        return 1;
    }
}
