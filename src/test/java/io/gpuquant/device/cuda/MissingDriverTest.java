package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.ResourceException;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.DeviceProvider;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** A machine without a driver, in a process that notes which classes it loads. */
@InChildJvm(arguments = "-Xlog:class+load:file=target/classes-without-driver.log::filecount=0")
class MissingDriverTest {

    private static final String NO_DRIVER = "libcuda-that-is-not-there.so.1";

    @Test
    void saysThatThereIsNoDriver() {
        DeviceProvider provider = new CudaDeviceProvider(NO_DRIVER);
        assertThat(provider.probe().devices()).isEmpty();
        assertThat(provider.probe().reason()).isEqualTo("no NVIDIA driver (" + NO_DRIVER + ") was found");
        assertThat(provider.kind()).isEqualTo("cuda");
        assertThat(provider.preference()).isEqualTo(100);
    }

    @Test
    void openingSaysWhatToDo() {
        assertThatThrownBy(() -> new CudaDeviceProvider(NO_DRIVER).open(0, DeviceOptions.defaults()))
                .isInstanceOf(ResourceException.class)
                .hasMessage("cuda:0 cannot be opened: no NVIDIA driver (" + NO_DRIVER
                        + ") was found; use --device host to run without it");
    }

    @Test
    void touchesNoClassOfJCuda() throws IOException {
        assertThat(new CudaDeviceProvider(NO_DRIVER).probe().reason()).isNotEmpty();
        assertThat(Files.readAllLines(Path.of("target/classes-without-driver.log")))
                .anyMatch(line -> line.contains("io.gpuquant.device.cuda.DriverLibrary"))
                .noneMatch(line -> line.contains(" jcuda."));
    }
}
