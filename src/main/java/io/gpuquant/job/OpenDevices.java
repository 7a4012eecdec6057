package io.gpuquant.job;

import io.gpuquant.UsageException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceInfo;
import java.util.List;
import java.util.stream.Collectors;

/** The devices of a job. */
final class OpenDevices implements AutoCloseable {

    private final List<Device> devices;

    OpenDevices(List<Device> devices) {
        this.devices = List.copyOf(devices);
    }

    List<Device> devices() {
        return devices;
    }

    /**
     * Fails where several devices cannot do a job together: what each of them computes of the same numbers must be the same.
     *
     * @throws UsageException that says why
     */
    static void requireOneKind(List<Device> devices) {
        List<String> kinds =
                devices.stream().map(OpenDevices::describe).distinct().toList();
        if (kinds.size() > 1) {
            throw new UsageException(
                    "the devices of --device differ: " + String.join(" and ", kinds) + "; name devices of one kind");
        }
    }

    /** What results depend on: what the devices are, and how many of them there are. */
    String description() {
        return devices.stream().map(OpenDevices::describe).collect(Collectors.joining("; "));
    }

    private static String describe(Device device) {
        DeviceInfo info = device.info();
        return info.name() + ", " + info.architecture();
    }

    /** The most memory that was held at once on one of them. */
    long peakBytes() {
        return devices.stream()
                .mapToLong(device -> device.memory().peakBytes())
                .max()
                .orElse(0);
    }

    @Override
    public void close() {
        devices.forEach(Device::close);
    }
}
