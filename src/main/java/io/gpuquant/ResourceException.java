package io.gpuquant;

import org.jspecify.annotations.Nullable;

/** Memory, disk or a device ran out or is not there; exit code 4. */
public non-sealed class ResourceException extends GpuQuantException {

    private static final long serialVersionUID = 1L;

    public ResourceException(String message) {
        this(message, null);
    }

    public ResourceException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }

    @Override
    public int exitCode() {
        return 4;
    }
}
