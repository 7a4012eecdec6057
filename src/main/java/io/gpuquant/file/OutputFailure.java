package io.gpuquant.file;

import io.gpuquant.ResourceException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Explains why a file of the output could not be written. */
public final class OutputFailure {

    private OutputFailure() {}

    public static ResourceException of(Path file, IOException cause) {
        String reason = reason(cause);
        String advice = switch (reason) {
            case "No space left on device", "Disk quota exceeded" ->
                "free some space and run the same command again to resume, or choose another disk with --out";
            case "Read-only file system", "permission denied" -> "choose a folder that can be written to with --out";
            case "a file is in the way" -> "choose another folder with --out";
            case "File too large" -> "choose a disk that takes files of this size with --out";
            default -> "check the disk, then run the same command again to resume";
        };
        return new ResourceException(file + " cannot be written (" + reason + "); " + advice, cause);
    }

    private static String reason(IOException cause) {
        @Nullable
        String reason = switch (cause) {
            case AccessDeniedException e -> "permission denied";
            case FileAlreadyExistsException e -> "a file is in the way";
            case FileSystemException e -> e.getReason();
            default -> cause.getMessage();
        };
        return reason == null ? cause.getClass().getSimpleName() : reason;
    }
}
