package io.gpuquant.file;

import io.gpuquant.ResourceException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/** Puts a small file in place so that a reader, or a crash, meets either all of it or none. */
public final class DurableFile {

    private DurableFile() {}

    /**
     * Writes {@code bytes} to a temporary file in the same folder, forces it, and renames it over {@code file}.
     *
     * @throws ResourceException when the disk is full or the file cannot be written
     */
    public static void replace(Path file, byte[] bytes) {
        Path temporary = file.resolveSibling(file.getFileName() + ".tmp");
        try {
            try (FileChannel channel = FileChannel.open(
                    temporary,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.WRITE)) {
                ByteBuffer buffer = ByteBuffer.wrap(bytes);
                while (buffer.hasRemaining()) {
                    channel.write(buffer);
                }
                channel.force(true);
            }
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw OutputFailure.of(file, e);
        }
    }

    /**
     * Waits until the names of the files in a folder are on the disk.
     *
     * @throws ResourceException when the folder is not there or the disk fails
     */
    public static void forceDirectory(Path directory) {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        } catch (IOException e) {
            throw OutputFailure.of(directory, e);
        }
    }
}
