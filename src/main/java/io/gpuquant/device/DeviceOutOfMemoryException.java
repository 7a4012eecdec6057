package io.gpuquant.device;

import io.gpuquant.ResourceException;

/** An allocation that does not fit into the device's memory, or into the limit the user set. */
public final class DeviceOutOfMemoryException extends ResourceException {

    private static final long serialVersionUID = 1L;

    public DeviceOutOfMemoryException(String message) {
        super(message);
    }
}
