package io.gpuquant.device.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gpuquant.ResourceException;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OpenBlasTest {

    private static final String PATH = "java.library.path";

    @TempDir
    Path folder;

    private String before;

    @BeforeEach
    void remember() {
        before = System.getProperty(PATH, "");
    }

    @AfterEach
    void restore() {
        System.setProperty(PATH, before);
    }

    @Test
    void saysItsVersion() {
        assertThat(OpenBlas.load().configuration()).matches("(?s)OpenBLAS 0\\.3\\.\\d+.*\\S");
    }

    @Test
    void namesALibraryThatCannotBeLoaded() throws IOException {
        Path library = Files.writeString(folder.resolve("libopenblas.so.0"), "not a library");
        System.setProperty(PATH, folder.toString());

        assertThatThrownBy(OpenBlas::load)
                .isInstanceOf(ResourceException.class)
                .hasMessage("OpenBLAS (" + library + ") cannot be loaded; run gpuquant by its launcher, which knows the"
                        + " folder of its libraries");
    }

    @Test
    void namesAFunctionThatALibraryLacks() throws IOException {
        Optional<Path> other = Arrays.stream(before.split(File.pathSeparator, -1))
                .map(part -> Path.of(part, "libquadmath.so.0"))
                .filter(Files::isRegularFile)
                .findFirst();
        assumeTrue(other.isPresent());
        Files.copy(other.orElseThrow(), folder.resolve("libopenblas.so.0"));
        System.setProperty(PATH, "nowhere" + File.pathSeparator + folder);

        assertThatThrownBy(OpenBlas::load)
                .isInstanceOf(ResourceException.class)
                .hasMessageContaining("has no function cblas_sgemm; run gpuquant by its launcher");
    }
}
