package io.gpuquant.device.cuda;

import io.gpuquant.GpuQuantException;
import io.gpuquant.InternalException;
import io.gpuquant.ResourceException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** A GPU's primary context, which cuBLAS shares; and what its failures are called. */
final class CudaContext {

    /** More kernels than this are not named in a message. */
    private static final int NAMED_KERNELS = 12;

    private final String deviceId;
    private final int ordinal;
    private final CUdevice device = new CUdevice();
    private final CUcontext handle = new CUcontext();
    private final List<LaunchTrace> traces = new CopyOnWriteArrayList<>();
    private volatile boolean faulted;
    private volatile boolean closed;

    /**
     * Creates the context, or joins the one this process has.
     *
     * @param deviceId the device's name in messages
     * @param ordinal the driver's number of the device
     * @throws ResourceException when the device is in use by someone else, or broken
     */
    CudaContext(String deviceId, int ordinal) {
        this.deviceId = deviceId;
        this.ordinal = ordinal;
        int result = JCudaDriver.cuDeviceGet(device, ordinal);
        if (result == CUresult.CUDA_SUCCESS) {
            result = JCudaDriver.cuDevicePrimaryCtxRetain(handle, device);
        }
        if (result != CUresult.CUDA_SUCCESS) {
            throw new ResourceException(deviceId + " cannot be opened: " + CudaErrors.name(result)
                    + "; see in nvidia-smi whether other processes hold it or its memory, or use --device host");
        }
    }

    String deviceId() {
        return deviceId;
    }

    int ordinal() {
        return ordinal;
    }

    /** An attribute of the device. */
    int attribute(int attribute) {
        int[] value = new int[1];
        check(JCudaDriver.cuDeviceGetAttribute(value, attribute, device), "asking for attribute " + attribute);
        return value[0];
    }

    /** A new trace, whose kernels failures will name. */
    LaunchTrace newTrace() {
        LaunchTrace trace = new LaunchTrace();
        traces.add(trace);
        return trace;
    }

    /**
     * Makes the context current on this thread; every use of the device starts here, because the context belongs to a
     * thread and the device does not.
     *
     * @throws IllegalStateException when the device is closed
     */
    void enter() {
        if (closed) {
            throw new IllegalStateException(deviceId + " is closed");
        }
        check(JCudaDriver.cuCtxSetCurrent(handle), "making the context current");
    }

    /** The same for giving something back, which nothing may get in the way of. */
    void enterForRelease() {
        checkRelease(JCudaDriver.cuCtxSetCurrent(handle), "making the context current");
    }

    boolean isClosed() {
        return closed;
    }

    /** Throws {@link #failure} unless {@code result} is success. */
    void check(int result, String action) {
        if (result != CUresult.CUDA_SUCCESS) {
            throw failure(result, action);
        }
    }

    /** The same for giving something back: after a fault nothing can be given back, and saying so again helps nobody. */
    void checkRelease(int result, String action) {
        if (!faulted) {
            check(result, action);
        }
    }

    /** The failure of a driver call, which may be that of any kernel that was launched before. */
    GpuQuantException failure(int result, String action) {
        if (result == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
            return new ResourceException(deviceId + " ran out of memory (" + CudaErrors.name(result) + ") while "
                    + action + "; lower --sequence-length or --samples, or free the memory that other processes hold");
        }
        faulted = true;
        return new InternalException(deviceId + " reported " + CudaErrors.name(result) + " while " + action + launched()
                + "; run 'gpuquant selftest --device " + deviceId + "' to find the kernel or the hardware at fault");
    }

    private String launched() {
        List<String> names = traces.stream()
                .flatMap(trace -> trace.latestFirst().stream())
                .distinct()
                .toList();
        if (names.isEmpty()) {
            return "";
        }
        return " after launching " + names.stream().limit(NAMED_KERNELS).collect(Collectors.joining(", "))
                + (names.size() > NAMED_KERNELS ? " and " + (names.size() - NAMED_KERNELS) + " others" : "")
                + " since it was last known to be well";
    }

    /** Waits for all work of all streams. */
    void synchronize() {
        check(JCudaDriver.cuCtxSynchronize(), "waiting for all queued work");
        traces.forEach(LaunchTrace::clear);
    }

    /** The same before giving something back; after a fault there may be nothing left to wait for. */
    void synchronizeForRelease() {
        checkRelease(JCudaDriver.cuCtxSynchronize(), "waiting for all queued work");
    }

    /** Leaves the context; the driver destroys it when nobody else in this process has it. */
    void close() {
        closed = true;
        checkRelease(JCudaDriver.cuDevicePrimaryCtxRelease(device), "closing the device");
    }
}
