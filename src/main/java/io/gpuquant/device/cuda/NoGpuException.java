package io.gpuquant.device.cuda;

/** There is no usable GPU here; the message is the half sentence that {@code DeviceProvider.Probe} asks for. */
final class NoGpuException extends Exception {

    private static final long serialVersionUID = 1L;

    NoGpuException(String reason) {
        super(reason);
    }
}
