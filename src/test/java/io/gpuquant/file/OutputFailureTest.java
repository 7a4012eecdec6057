package io.gpuquant.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.ResourceException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class OutputFailureTest {

    private static final Path FULL = Path.of("/dev/full");

    @TempDir
    Path directory;

    record Case(IOException cause, String reason, String advice) {}

    static List<Case> causes() {
        return List.of(
                new Case(new IOException("No space left on device"), "No space left on device", "free some space"),
                new Case(new IOException("Disk quota exceeded"), "Disk quota exceeded", "free some space"),
                new Case(
                        new FileSystemException("f", null, "Read-only file system"),
                        "Read-only file system",
                        "choose a folder that can be written to with --out"),
                new Case(new AccessDeniedException("f"), "permission denied", "choose a folder that can be written to"),
                new Case(new IOException("File too large"), "File too large", "choose a disk that takes files"),
                new Case(new IOException("Input/output error"), "Input/output error", "check the disk"),
                new Case(new NoSuchFileException("f"), "NoSuchFileException", "check the disk"),
                new Case(new ClosedChannelException(), "ClosedChannelException", "check the disk"));
    }

    @ParameterizedTest
    @MethodSource("causes")
    void namesTheFileTheReasonAndWhatToDo(Case failing) {
        assertThat(OutputFailure.of(Path.of("out/model.safetensors"), failing.cause()))
                .hasMessageStartingWith("out/model.safetensors cannot be written (" + failing.reason() + "); ")
                .hasMessageContaining(failing.advice())
                .hasCause(failing.cause());
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void aFullDiskIsToldByTheWriteThatMeetsIt() throws Exception {
        try (FileChannel channel = FileChannel.open(FULL, StandardOpenOption.WRITE)) {
            OutputFile file = new OutputFile(FULL, channel);

            assertThat(file.path()).isEqualTo(FULL);
            assertThatThrownBy(() -> file.write(MemorySegment.ofArray(new byte[100]), 0))
                    .isInstanceOf(ResourceException.class)
                    .hasMessageContaining("/dev/full cannot be written (No space left on device); free some space");
        }
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void aFailureToForceIsToldEveryTime() throws Exception {
        // A device without a disk behind it cannot be forced.
        try (FileChannel channel = FileChannel.open(FULL, StandardOpenOption.WRITE)) {
            OutputFile file = new OutputFile(FULL, channel);

            for (int attempt = 0; attempt < 2; attempt++) {
                assertThatThrownBy(file::force)
                        .isInstanceOf(ResourceException.class)
                        .hasMessageContaining("/dev/full cannot be written");
            }
        }
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void aFullDiskLeavesTheOldFileInPlace() throws Exception {
        Path index = Files.writeString(directory.resolve("index.json"), "old");
        Path link = Files.createSymbolicLink(directory.resolve("index.json.tmp"), FULL);

        assertThatThrownBy(() -> DurableFile.replace(index, new byte[] {1}))
                .isInstanceOf(ResourceException.class)
                .hasMessageContaining(index + " cannot be written (No space left on device)");
        assertThat(index).hasContent("old");
        Files.delete(link);
    }

    @Test
    void aFileIsReplacedAsAWhole() throws Exception {
        Path index = Files.writeString(directory.resolve("index.json"), "old and long");

        DurableFile.replace(index, new byte[] {'n', 'e', 'w'});

        assertThat(index).hasContent("new");
        assertThat(directory.toFile().list()).containsExactly("index.json");
    }

    @Test
    void aFolderThatIsNotThereCannotBeForced() {
        assertThatThrownBy(() -> DurableFile.forceDirectory(directory.resolve("gone")))
                .isInstanceOf(ResourceException.class)
                .hasMessageContaining("gone cannot be written");
    }
}
