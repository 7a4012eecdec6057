package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.DeviceProvider;
import org.junit.jupiter.api.Test;

/** A driver that lacks functions, calls of which would end the process. */
@InChildJvm
class OldDriverTest {

    @Test
    void driverThatLacksFunctionsIsTooOld() {
        try (FakeCuda fake = FakeCuda.installWithoutPools()) {
            DeviceProvider.Probe probe = new CudaDeviceProvider().probe();
            assertThat(probe.devices()).isEmpty();
            assertThat(probe.reason())
                    .isEqualTo(
                            "the NVIDIA driver is too old: it lacks cuMemAllocAsync; 470 (CUDA 11.4) or newer is needed");
            assertThat(fake.calls()).isEmpty();
        }
    }
}
