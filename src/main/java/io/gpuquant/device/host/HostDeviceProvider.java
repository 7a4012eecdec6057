package io.gpuquant.device.host;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.DeviceProvider;
import java.util.List;

/** Offers this machine's processor as a device; it is always there, and the last choice. */
public final class HostDeviceProvider implements DeviceProvider {

    @Override
    public String kind() {
        return HostInfo.ID;
    }

    @Override
    public int preference() {
        return 0;
    }

    @Override
    public Probe probe() {
        return new Probe(
                List.of(HostInfo.describe(0, Runtime.getRuntime().availableProcessors(), "virtual GPU and OpenBLAS")),
                "");
    }

    /** A processor can be as many virtual GPUs as one likes, which share its threads and its memory. */
    @Override
    public boolean has(int index) {
        return true;
    }

    @Override
    public Device open(int index, DeviceOptions options) {
        return HostDevice.open(options, index);
    }
}
