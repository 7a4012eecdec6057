package io.gpuquant.device.cuda;

import io.gpuquant.device.Event;
import java.lang.ref.Reference;
import jcuda.driver.CUevent;
import jcuda.driver.JCudaDriver;

/** A point in the work of a stream of this device. */
final class CudaEvent implements Event {

    private final CudaContext context;
    private final CUevent handle;

    CudaEvent(CudaContext context, EventPool events, CUevent handle) {
        this.context = context;
        this.handle = handle;
        events.giveBackWith(this, handle);
    }

    CUevent handle(CudaContext expected) {
        if (context != expected) {
            throw new IllegalArgumentException("an event of " + context.deviceId() + " on " + expected.deviceId());
        }
        return handle;
    }

    @Override
    public void synchronize() {
        context.enter();
        try {
            context.check(JCudaDriver.cuEventSynchronize(handle), "waiting for an event");
        } finally {
            Reference.reachabilityFence(this);
        }
    }
}
