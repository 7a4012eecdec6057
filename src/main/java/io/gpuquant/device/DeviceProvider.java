package io.gpuquant.device;

import java.util.List;

/** A kind of device. Implementations are registered as services, and must be constructible where their hardware is absent. */
public interface DeviceProvider {

    /** The word before the colon in a device's id, such as {@code cuda}. */
    String kind();

    /** Rank in the choice of {@code auto}; the highest that has a device wins. */
    int preference();

    /** Looks for devices without claiming one. */
    Probe probe();

    /** Whether there is a device of this index: one of {@link Probe#devices()}, or as many more as the kind can make. */
    default boolean has(int index) {
        return index < probe().devices().size();
    }

    /**
     * Opens a device.
     *
     * @param index one that {@link #has} knows
     * @throws io.gpuquant.ResourceException when it cannot be opened
     */
    Device open(int index, DeviceOptions options);

    /**
     * What a probe found.
     *
     * @param devices the devices, in index order; may be empty
     * @param reason where there are none, why not, as half a sentence such as "no NVIDIA driver (libcuda.so.1) was found"
     */
    record Probe(List<DeviceInfo> devices, String reason) {

        public Probe {
            devices = List.copyOf(devices);
        }
    }
}
