package io.gpuquant.device.cuda;

import io.gpuquant.device.TimeMark;
import jcuda.driver.CUevent;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;

/** An event that the device stamps with its time; the stamp is good to half a microsecond. */
final class CudaTimeMark implements TimeMark {

    private final CudaContext context;
    private final EventPool.Timed event;
    private final CUstream stream;

    CudaTimeMark(CudaContext context, EventPool.Timed event, CUstream stream) {
        this.context = context;
        this.event = event;
        this.stream = stream;
    }

    @Override
    public void move() {
        context.enter();
        context.check(JCudaDriver.cuEventRecord(event.handle(), stream), "marking a point in a stream");
    }

    @Override
    public double secondsAfter(TimeMark earlier) {
        if (!(earlier instanceof CudaTimeMark from) || from.context != context) {
            throw new IllegalArgumentException("times of two devices");
        }
        context.enter();
        CUevent to = event.handle();
        context.check(JCudaDriver.cuEventSynchronize(from.event.handle()), "waiting for an event");
        context.check(JCudaDriver.cuEventSynchronize(to), "waiting for an event");
        float[] milliseconds = new float[1];
        context.check(
                JCudaDriver.cuEventElapsedTime(milliseconds, from.event.handle(), to), "reading the time of an event");
        return milliseconds[0] / 1e3;
    }

    @Override
    public void release() {
        event.giveBack();
    }
}
