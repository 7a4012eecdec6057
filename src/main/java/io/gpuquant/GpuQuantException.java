package io.gpuquant;

import org.jspecify.annotations.Nullable;

/**
 * A failure that is explained to the user: the message is one sentence that says what happened, where (file, tensor,
 * option) and what to do about it. The subclass decides the process exit code; a stack trace is shown with {@code --debug}
 * only.
 */
public abstract sealed class GpuQuantException extends RuntimeException
        permits UsageException, InputException, ResourceException, VerificationException, InternalException {

    private static final long serialVersionUID = 1L;

    GpuQuantException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }

    /** The exit code of the process that ends with this failure. */
    public abstract int exitCode();
}
