package io.gpuquant.device.cuda;

import jcuda.driver.CUresult;

/** The driver's result codes in words. */
final class CudaErrors {

    private CudaErrors() {}

    /** The name of a result, such as {@code CUDA_ERROR_ILLEGAL_ADDRESS}. */
    static String name(int result) {
        String name = CUresult.stringFor(result);
        return name.startsWith("CUDA_") ? name : "CUDA error " + result;
    }

    /** Why {@code cuInit} failed, as half a sentence that says what to do. */
    static String initialisationReason(int result) {
        return switch (result) {
            case CUresult.CUDA_ERROR_NO_DEVICE ->
                "the NVIDIA driver found no GPU that this process may use (see nvidia-smi and CUDA_VISIBLE_DEVICES)";
            case CUresult.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, CUresult.CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE ->
                "the NVIDIA driver's library and kernel module do not fit together (" + name(result)
                        + "); restart the machine, or the container with the host's driver";
            case CUresult.CUDA_ERROR_SYSTEM_NOT_READY ->
                "the NVIDIA driver is not ready (" + name(result) + "); start nvidia-fabricmanager";
            case CUresult.CUDA_ERROR_STUB_LIBRARY ->
                DriverLibrary.NAME + " is the toolkit's stub, not a driver; take its folder off LD_LIBRARY_PATH";
            default -> "the NVIDIA driver does not start: " + name(result) + "; see whether nvidia-smi works";
        };
    }
}
