package io.gpuquant;

import org.jspecify.annotations.Nullable;

/** The command line asks for something that does not exist or does not fit together; exit code 2. */
public final class UsageException extends GpuQuantException {

    private static final long serialVersionUID = 1L;

    public UsageException(String message) {
        this(message, null);
    }

    public UsageException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }

    @Override
    public int exitCode() {
        return 2;
    }
}
