package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gpuquant.ResourceException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.DeviceProvider;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** The contract on the GPU of this machine; skipped where there is none. */
@InChildJvm
class RealGpuTest {

    @Test
    void keepsTheContract() {
        onTheGpu(device -> {
            GpuContract.copiesComeBack(device);
            GpuContract.kernelsRunInTurn(device);
            GpuContract.buffersMayBeReleasedWithWorkQueued(device);
            GpuContract.moreThanThereIsIsRefusedAndHarmsNothing(device);
            GpuContract.whatWasReleasedInPiecesCanBeHadAsOne(device);
            GpuContract.moduleThatIsWrongIsReportedWithTheLog(device);
        });
    }

    @Test
    void productsAgreeWithPlainLoops() {
        onTheGpu(device -> {
            try {
                assertThat(device.blas().description()).isNotEmpty();
            } catch (ResourceException e) {
                abort(String.valueOf(e.getMessage()));
            }
            Products.requireAll(device);
        });
    }

    private static void onTheGpu(Consumer<Device> check) {
        DeviceProvider provider = new CudaDeviceProvider();
        DeviceProvider.Probe probe = provider.probe();
        assumeTrue(!probe.devices().isEmpty(), probe.reason());
        try (Device device = provider.open(0, DeviceOptions.defaults())) {
            check.accept(device);
        }
    }
}
