package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gpuquant.ResourceException;
import io.gpuquant.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutputFolderTest {

    @TempDir
    Path folder;

    private static List<String> names(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }

    @Test
    void growsUnderAnotherNameAndGetsItsOwnAtTheEnd() throws IOException {
        Path output = folder.resolve("made");
        try (OutputFolder growing = OutputFolder.open(output)) {
            assertThat(growing.partial()).isEqualTo(folder.resolve("made.partial"));
            Files.writeString(growing.partial().resolve("a.txt"), "a");
            Files.writeString(growing.partial().resolve(Journal.FILE), "done");
            assertThat(output).doesNotExist();

            growing.publish();
        }

        assertThat(output).isDirectoryContaining("glob:**/a.txt");
        assertThat(names(output)).containsExactly("a.txt");
        assertThat(names(folder)).containsExactly("made");
    }

    @Test
    void replacesAnOlderOutputAndWhatACrashLeftOfOneBefore() throws IOException {
        Path output = Files.createDirectories(folder.resolve("made/with/folders"))
                .resolve("../..")
                .normalize();
        Files.createDirectories(folder.resolve("made.old/from/a/crash"));
        try (OutputFolder growing = OutputFolder.open(output)) {
            Files.writeString(growing.partial().resolve("new.txt"), "new");
            growing.publish();
        }

        assertThat(output).isDirectoryContaining("glob:**/new.txt").isDirectoryNotContaining("glob:**/with");
        assertThat(names(folder)).containsExactly("made");
    }

    @Test
    void isForOneRunAtATime() {
        Path output = folder.resolve("made");
        try (OutputFolder first = OutputFolder.open(output)) {
            assertThatThrownBy(() -> OutputFolder.open(output))
                    .isInstanceOf(ResourceException.class)
                    .hasMessage(first.partial() + " is being written by another run of gpuquant; wait for it, or choose"
                            + " another folder with --out");
        }
        OutputFolder.open(output).close();
    }

    @Test
    void isClearedOfEverythingButTheLock() throws IOException {
        try (OutputFolder growing = OutputFolder.open(folder.resolve("made"))) {
            Files.createDirectories(growing.partial().resolve("a/b"));
            Files.writeString(growing.partial().resolve("c.txt"), "c");

            growing.clear();

            assertThat(names(growing.partial())).containsExactly(".lock");
            growing.discard();
        }
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void completeFolderThatCannotBeRenamedIsNotLost() throws IOException {
        Path output = folder.resolve("made");
        try (OutputFolder growing = OutputFolder.open(output)) {
            Files.writeString(growing.partial().resolve("a.txt"), "a");
            // Something that came in between, and that no folder can replace.
            Files.createSymbolicLink(output, folder.resolve("gone"));

            assertThatThrownBy(growing::publish)
                    .isInstanceOf(ResourceException.class)
                    .hasMessageStartingWith(growing.partial() + " is complete but cannot be renamed to " + output)
                    .hasMessageEndingWith("rename it by hand");
            assertThat(growing.partial()).isDirectoryContaining("glob:**/a.txt");
        }
    }

    @Test
    void needsAName() {
        assertThatThrownBy(() -> OutputFolder.partialOf(Path.of("/")))
                .isInstanceOf(UsageException.class)
                .hasMessage("--out / is not a name for a folder; give another");
        assertThat(OutputFolder.partialOf(Path.of("made")))
                .isEqualTo(Path.of("made.partial").toAbsolutePath());
    }

    @Test
    void needsSpace() {
        assertThatThrownBy(() -> OutputFolder.check(folder.resolve("made"), folder, false, Long.MAX_VALUE))
                .isInstanceOf(ResourceException.class)
                .hasMessageContaining(folder.resolve("made") + " will take ")
                .hasMessageContaining("free there; choose another place with --out, or make room");
        OutputFolder.check(folder.resolve("made"), folder, false, 1);
    }

    /** Where a small file system can be mounted, which takes the rights to do so. */
    @Test
    void spaceThatAnUnfinishedOutputHoldsCountsAsFree() throws Exception {
        Path disk = Files.createDirectory(folder.resolve("disk"));
        assumeTrue(run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk.toString()), "no right to mount");
        try {
            Path partial = Files.createDirectory(disk.resolve("made.partial"));
            Files.write(partial.resolve("model.safetensors"), new byte[700_000]);

            OutputFolder.check(disk.resolve("made"), folder, false, 900_000);
            assertThatThrownBy(() -> OutputFolder.check(disk.resolve("other"), folder, false, 900_000))
                    .isInstanceOf(ResourceException.class);
        } finally {
            run("umount", disk.toString());
        }
    }

    private static boolean run(String... command) throws Exception {
        Process process;
        try {
            process = new ProcessBuilder(command).redirectErrorStream(true).start();
        } catch (IOException noSuchProgram) {
            return false;
        }
        return process.waitFor(20, TimeUnit.SECONDS) && process.exitValue() == 0;
    }
}
