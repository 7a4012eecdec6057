package io.gpuquant.device.cuda;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.DeviceProvider;
import org.junit.jupiter.api.Test;

/** A fault on the GPU of this machine, in a process of its own because no other test can run after it. */
@InChildJvm
class RealGpuFaultTest {

    @Test
    void faultNamesTheKernelAndTheDeviceStillCloses() {
        DeviceProvider provider = new CudaDeviceProvider();
        DeviceProvider.Probe probe = provider.probe();
        assumeTrue(!probe.devices().isEmpty(), probe.reason());
        try (Device device = provider.open(0, DeviceOptions.defaults())) {
            GpuContract.faultNamesTheKernel(device);
        }
    }
}
