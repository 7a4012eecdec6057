package io.gpuquant.device.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The NVIDIA driver's library, found and checked before JCuda may bind to it: JCuda's native code binds lazily, so calling
 * a function that the driver lacks would end the process instead of failing.
 */
@SuppressWarnings("restricted")
final class DriverLibrary {

    /** The library that every NVIDIA driver for Linux installs. */
    static final String NAME = "libcuda.so.1";

    /** The oldest driver that assembles PTX 7.4 and has every function below, in words. */
    static final String OLDEST_DRIVER = "470 (CUDA 11.4)";

    /** What JCuda's native code calls on our behalf, by the names that the driver exports. */
    static final List<String> CALLED_BY_JCUDA = List.of(
            "cuInit",
            "cuDriverGetVersion",
            "cuDeviceGet",
            "cuDeviceGetCount",
            "cuDeviceGetName",
            "cuDeviceGetAttribute",
            "cuDeviceTotalMem_v2",
            "cuDevicePrimaryCtxRetain",
            "cuDevicePrimaryCtxRelease_v2",
            "cuCtxSetCurrent",
            "cuCtxSynchronize",
            "cuCtxGetStreamPriorityRange",
            "cuStreamCreateWithPriority",
            "cuStreamDestroy_v2",
            "cuStreamSynchronize",
            "cuStreamWaitEvent",
            "cuEventCreate",
            "cuEventDestroy_v2",
            "cuEventRecord",
            "cuEventSynchronize",
            "cuEventElapsedTime",
            "cuMemAlloc_v2",
            "cuMemFree_v2",
            "cuMemAllocAsync",
            "cuMemFreeAsync",
            "cuMemFreeHost",
            "cuMemGetInfo_v2",
            "cuMemcpyHtoDAsync_v2",
            "cuMemcpyDtoHAsync_v2",
            "cuMemcpyDtoDAsync_v2",
            "cuMemsetD8Async",
            "cuModuleLoadDataEx",
            "cuModuleUnload",
            "cuModuleGetFunction",
            "cuFuncGetAttribute",
            "cuFuncSetAttribute",
            "cuLaunchKernel");

    /** What is called without JCuda, which lacks it or cannot call it for large sizes. */
    static final List<String> CALLED_DIRECTLY =
            List.of("cuMemHostAlloc", "cuDeviceGetDefaultMemPool", "cuMemPoolSetAttribute", "cuMemPoolTrimTo");

    private DriverLibrary() {}

    /**
     * Loads the library.
     *
     * @param name {@link #NAME}, or another name in tests
     * @throws NoGpuException when it is not installed, or too old to have every function that is needed
     */
    static SymbolLookup load(String name) throws NoGpuException {
        SymbolLookup library = open(name);
        Optional<String> missing = Stream.concat(CALLED_BY_JCUDA.stream(), CALLED_DIRECTLY.stream())
                .filter(symbol -> library.find(symbol).isEmpty())
                .findFirst();
        if (missing.isPresent()) {
            throw new NoGpuException("the NVIDIA driver is too old: it lacks " + missing.get() + "; " + OLDEST_DRIVER
                    + " or newer is needed");
        }
        return library;
    }

    private static SymbolLookup open(String name) throws NoGpuException {
        try {
            return SymbolLookup.libraryLookup(name, Arena.global());
        } catch (IllegalArgumentException e) {
            throw new NoGpuException("no NVIDIA driver (" + name + ") was found");
        }
    }
}
