package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import jcuda.JCudaVersion;
import jcuda.LibUtils;
import org.junit.jupiter.api.Test;

/** A process that was started without the folder of JCuda's native code. */
@InChildJvm(arguments = {"-Djava.library.path=target/no-such-folder", "-Djava.io.tmpdir=target/test-classes"})
class MissingNativesTest {

    @Test
    void saysWhereTheNativeCodeWasLookedFor() {
        try (FakeCuda fake = FakeCuda.install()) {
            assertThat(new CudaDeviceProvider().probe().reason())
                    .startsWith("JCuda's " + fileName() + " was not found in [")
                    .contains("target/no-such-folder]")
                    .endsWith("-Djava.library.path=LIB/native");
            assertThat(fake.calls()).isEmpty();
        }
    }

    @Test
    void neitherUnpacksNorLoadsAnythingInTheTemporaryFolder() throws IOException {
        Path folder = Path.of(System.getProperty("java.io.tmpdir"));
        Path planted = folder.resolve(fileName());
        try (FakeCuda fake = FakeCuda.install()) {
            Files.copy(fake.library(), planted);
            assertThat(new CudaDeviceProvider().probe().reason()).contains("was not found");
            assertThat(Files.readString(Path.of("/proc/self/maps"))).doesNotContain(fileName());
            Files.delete(planted);
            assertThat(new CudaDeviceProvider().probe().reason()).contains("was not found");
            assertThat(planted).doesNotExist();
        } finally {
            Files.deleteIfExists(planted);
        }
    }

    @Test
    void saysWhyTheNativeCodeDoesNotLoad() throws IOException {
        try (FakeCuda fake = FakeCuda.install()) {
            Path needed = FakeCublas.compile(fake, 12);
            Path broken = NativeLibraries.compile(
                    "fakecublas.c", fileName(), "-DVERSION=12", "-Wl,--no-as-needed", needed.toString());
            Files.delete(needed);
            assertThatThrownBy(() -> JCudaLibrary.load(":/nonexistent:" + broken.getParent()))
                    .isInstanceOf(NoGpuException.class)
                    .hasMessageContaining("JCuda's " + broken + " cannot be loaded")
                    .hasMessageContaining("libcublas-fake");
            assertThat(fake.calls()).isEmpty();
        }
    }

    private static String fileName() {
        return System.mapLibraryName(LibUtils.createPlatformLibraryName("JCudaDriver-" + JCudaVersion.get()));
    }
}
