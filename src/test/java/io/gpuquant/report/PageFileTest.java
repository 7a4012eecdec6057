package io.gpuquant.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.ResourceException;
import io.gpuquant.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PageFileTest {

    @TempDir
    Path folder;

    @Test
    void replacesWhatWasThereAndLeavesNothingElse() throws IOException {
        Path file = Files.writeString(folder.resolve("page.html"), "old");

        new PageFile(file).check();
        new PageFile(file).write("new");

        assertThat(file).hasContent("new");
        assertThat(folder).isDirectoryNotContaining("glob:**.partial");
    }

    @Test
    void saysBeforehandWhereNothingCanBeWritten() {
        assertThatThrownBy(() -> new PageFile(folder).check())
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("is a folder");
        assertThatThrownBy(() -> new PageFile(folder.resolve("none/page.html")).check())
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("a folder that does not exist");
    }

    @Test
    void failureLeavesNothing() {
        Path gone = folder.resolve("none/page.html");

        assertThatThrownBy(() -> new PageFile(gone).write("x"))
                .isInstanceOf(ResourceException.class)
                .hasMessageContaining("--html " + gone + " cannot be written");
        assertThat(folder).isEmptyDirectory();
    }
}
