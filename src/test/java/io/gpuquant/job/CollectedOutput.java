package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.Map;

/** Keeps what is written. */
final class CollectedOutput implements ResultOutput {

    private final Device device;
    private final Map<String, byte[]> tensors = new LinkedHashMap<>();

    CollectedOutput(Device device) {
        this.device = device;
    }

    @Override
    public synchronized void send(String name, MemorySegment bytes) {
        if (tensors.put(name, bytes.toArray(ValueLayout.JAVA_BYTE)) != null) {
            throw new AssertionError(name + " was written twice");
        }
    }

    @Override
    public void send(String name, DeviceMatrix matrix) {
        MemorySegment bytes = MemorySegment.ofArray(new byte[(int) matrix.byteSize()]);
        device.stream().copyToHost(matrix, bytes);
        device.stream().synchronize();
        send(name, bytes);
    }

    Map<String, byte[]> tensors() {
        return tensors;
    }
}
