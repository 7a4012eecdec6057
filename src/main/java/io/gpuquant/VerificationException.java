package io.gpuquant;

import org.jspecify.annotations.Nullable;

/** A finished checkpoint, or a device, does not hold what it should; exit code 5. */
public final class VerificationException extends GpuQuantException {

    private static final long serialVersionUID = 1L;

    public VerificationException(String message) {
        this(message, null);
    }

    public VerificationException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }

    @Override
    public int exitCode() {
        return 5;
    }
}
