package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.DeviceProvider;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class DeviceOptionTest {

    private static final DeviceInfo HOST = new DeviceInfo("host", "a processor", "sm_80", 2, 1 << 30, "OpenBLAS");
    private static final DeviceInfo GPU = new DeviceInfo("cuda:0", "a GPU", "sm_90", 132, 1 << 30, "CUDA 13.0");

    @Test
    void processorThatWasChosenForWantOfAGpuHasAReason() {
        List<DeviceProvider> old =
                List.of(new Fixed("cuda", new DeviceProvider.Probe(List.of(), "the driver is too old")));
        assertThat(DeviceOption.whyNoGpu("auto", HOST, old)).contains("the driver is too old");
        assertThat(DeviceOption.whyNoGpu("host", HOST, old)).isEmpty();
        assertThat(DeviceOption.whyNoGpu("auto", GPU, old)).isEmpty();
        List<DeviceProvider> here = List.of(new Fixed("cuda", new DeviceProvider.Probe(List.of(GPU), "")));
        assertThat(DeviceOption.whyNoGpu("auto", HOST, here)).isEmpty();
    }

    @Test
    void reasonFollowsTheDevice() {
        StringWriter err = new StringWriter();
        try (StatusLines lines = new StatusLines(new PrintWriter(err), false)) {
            lines.device(HOST, new DeviceOption() {
                @Override
                Optional<String> whyNoGpu(DeviceInfo opened) {
                    return Optional.of("the driver is too old");
                }
            });
        }
        assertThat(err.toString().lines())
                .containsExactly(
                        "device: host, a processor (sm_80; OpenBLAS)", "no GPU is used: the driver is too old");
    }

    /** A kind of device that answers as it is told. */
    private record Fixed(String kind, DeviceProvider.Probe probe) implements DeviceProvider {

        @Override
        public int preference() {
            return 1;
        }

        @Override
        public Device open(int index, DeviceOptions options) {
            throw new AssertionError(index);
        }
    }
}
