package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.ResourceException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.DeviceProvider;
import io.gpuquant.device.Devices;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What the provider says of a driver, on the fake driver. */
@InChildJvm
class ProbeTest {

    private static final DeviceInfo FIRST = new DeviceInfo("cuda:0", "Fake GPU 0", "sm_80", 108, 1L << 40, "CUDA 12.4");

    @Test
    void describesEveryGpu() {
        try (FakeCuda fake = FakeCuda.install().set("devices", 2).set("major", 9)) {
            DeviceProvider.Probe probe = new CudaDeviceProvider().probe();
            assertThat(probe.devices())
                    .containsExactly(
                            new DeviceInfo("cuda:0", "Fake GPU 0", "sm_90", 108, 1L << 40, "CUDA 12.4"),
                            new DeviceInfo("cuda:1", "Fake GPU 1", "sm_90", 108, 1L << 40, "CUDA 12.4"));
            assertThat(fake.live(FakeCuda.Kind.CONTEXT)).isZero();
        }
    }

    @Test
    void gpusThatAreTooOldHaveNoNumber() {
        try (FakeCuda fake = FakeCuda.install().set("devices", 2).set("turings", 1);
                Device device = new CudaDeviceProvider().open(0, DeviceOptions.defaults())) {
            assertThat(device.info())
                    .isEqualTo(new DeviceInfo("cuda:0", "Fake GPU 1", "sm_80", 108, 1L << 40, "CUDA 12.4"));
            assertThat(fake.calls("cuDeviceGetDefaultMemPool")).containsExactly("cuDeviceGetDefaultMemPool 1");
        }
    }

    @Test
    void saysWhyThereIsNone() {
        assertThat(reason(FakeCuda.install().set("devices", 0)))
                .startsWith("the NVIDIA driver found no GPU")
                .contains("CUDA_VISIBLE_DEVICES");
        assertThat(reason(FakeCuda.install().set("turings", 1)))
                .isEqualTo("Fake GPU 0 (compute capability 7.5) is too old; compute capability 8.0 (Ampere) or newer is"
                        + " needed");
        assertThat(reason(FakeCuda.install().set("version", 11_030)))
                .isEqualTo("the NVIDIA driver is too old: it implements CUDA 11.3; 470 (CUDA 11.4) or newer is needed");
        assertThat(reason(FakeCuda.install().fail("cuDriverGetVersion", 3))).contains("CUDA 0.0");
        assertThat(reason(FakeCuda.install().fail("cuDeviceGetName", 101))).contains("CUDA_ERROR_INVALID_DEVICE");
    }

    @Test
    void saysWhyTheDriverDoesNotStart() {
        Map<Integer, String> reasons = Map.of(
                100, "found no GPU",
                34, "the toolkit's stub",
                802, "start nvidia-fabricmanager",
                803, "(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH); restart",
                804, "(CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE); restart",
                999, "does not start: CUDA_ERROR_UNKNOWN; see whether nvidia-smi works",
                77_777, "does not start: CUDA error 77777; see");
        reasons.forEach((result, text) ->
                assertThat(reason(FakeCuda.install().fail("cuInit", result))).contains(text));
    }

    @Test
    void openingWhatIsNotThereSaysWhy() {
        DeviceProvider provider = new CudaDeviceProvider();
        try (FakeCuda fake = FakeCuda.install().set("devices", 2)) {
            assertThatThrownBy(() -> provider.open(2, DeviceOptions.defaults()))
                    .isInstanceOf(ResourceException.class)
                    .hasMessage("cuda:2 is not there: this machine has 2 usable GPU(s), numbered from 0");
            fake.set("devices", 0);
            assertThatThrownBy(() -> provider.open(0, DeviceOptions.defaults()))
                    .isInstanceOf(ResourceException.class)
                    .hasMessageStartingWith("cuda:0 cannot be opened: the NVIDIA driver found no GPU")
                    .hasMessageEndingWith("use --device host to run without it");
        }
    }

    @Test
    void isFoundAsAServiceAndPreferred() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Devices.installed().open("auto", DeviceOptions.defaults())) {
            assertThat(device.info()).isEqualTo(FIRST);
            assertThat(device.stream()).isInstanceOf(CudaStream.class);
            assertThat(fake.live(FakeCuda.Kind.CONTEXT)).isEqualTo(1);
        }
    }

    private static String reason(FakeCuda fake) {
        try (fake) {
            DeviceProvider.Probe probe = new CudaDeviceProvider().probe();
            assertThat(probe.devices()).isEmpty();
            return probe.reason();
        }
    }
}
