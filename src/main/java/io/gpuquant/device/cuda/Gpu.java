package io.gpuquant.device.cuda;

import io.gpuquant.device.DeviceInfo;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/**
 * A GPU that the driver lists.
 *
 * @param ordinal the driver's number, which counts GPUs that are too old, too
 * @param major of the compute capability
 * @param minor of the compute capability
 */
record Gpu(int ordinal, String name, int major, int minor, int multiprocessors, long memoryBytes) {

    /** The driver version that assembles PTX 7.4, as CUDA counts. */
    private static final int OLDEST_CUDA = 11_040;

    /** Compute capability 8.0: the {@code .target sm_80} of every kernel. */
    private static final int OLDEST_MAJOR = 8;

    boolean runsOurKernels() {
        return major >= OLDEST_MAJOR;
    }

    /** What it is to the user, who knows it as {@code id}. */
    DeviceInfo info(String id, String driver) {
        return new DeviceInfo(id, name, "sm_" + major + minor, multiprocessors, memoryBytes, driver);
    }

    @Override
    public String toString() {
        return name + " (compute capability " + major + "." + minor + ")";
    }

    /**
     * Initialises the driver and lists the GPUs that can run our kernels.
     *
     * @throws NoGpuException when there is none
     */
    static List<Gpu> usable() throws NoGpuException {
        requireRecentDriver();
        require(JCudaDriver.cuInit(0));
        List<Gpu> all = listed();
        if (all.isEmpty()) {
            require(CUresult.CUDA_ERROR_NO_DEVICE);
        }
        List<Gpu> usable = all.stream().filter(Gpu::runsOurKernels).toList();
        if (usable.isEmpty()) {
            throw new NoGpuException(
                    all.getFirst() + " is too old; compute capability 8.0 (Ampere) or newer is needed");
        }
        return usable;
    }

    /** The CUDA version that the driver implements, such as 12040. */
    static int driverVersion() {
        int[] version = new int[1];
        return JCudaDriver.cuDriverGetVersion(version) == CUresult.CUDA_SUCCESS ? version[0] : 0;
    }

    private static void requireRecentDriver() throws NoGpuException {
        int version = driverVersion();
        if (version < OLDEST_CUDA) {
            throw new NoGpuException("the NVIDIA driver is too old: it implements CUDA " + cudaVersion(version) + "; "
                    + DriverLibrary.OLDEST_DRIVER + " or newer is needed");
        }
    }

    /** A CUDA version in the usual form, such as 12.4. */
    static String cudaVersion(int version) {
        return version / 1000 + "." + version % 1000 / 10;
    }

    private static List<Gpu> listed() throws NoGpuException {
        int[] count = new int[1];
        require(JCudaDriver.cuDeviceGetCount(count));
        List<Gpu> gpus = new ArrayList<>();
        for (int ordinal = 0; ordinal < count[0]; ordinal++) {
            gpus.add(describe(ordinal));
        }
        return gpus;
    }

    private static Gpu describe(int ordinal) throws NoGpuException {
        CUdevice device = new CUdevice();
        require(JCudaDriver.cuDeviceGet(device, ordinal));
        byte[] name = new byte[256];
        require(JCudaDriver.cuDeviceGetName(name, name.length, device));
        long[] memory = new long[1];
        require(JCudaDriver.cuDeviceTotalMem(memory, device));
        return new Gpu(
                ordinal,
                new String(name, StandardCharsets.UTF_8).split("\0", 2)[0].strip(),
                attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
                attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
                attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
                memory[0]);
    }

    private static int attribute(CUdevice device, int attribute) throws NoGpuException {
        int[] value = new int[1];
        require(JCudaDriver.cuDeviceGetAttribute(value, attribute, device));
        return value[0];
    }

    private static void require(int result) throws NoGpuException {
        if (result != CUresult.CUDA_SUCCESS) {
            throw new NoGpuException(CudaErrors.initialisationReason(result));
        }
    }
}
