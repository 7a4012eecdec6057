package io.gpuquant.device.cuda;

import io.gpuquant.GpuQuantException;
import io.gpuquant.InternalException;
import io.gpuquant.ResourceException;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jcuda.driver.CUfunction;
import jcuda.driver.CUjit_option;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** The modules and kernels that the driver has assembled for this device. */
final class ModuleCache {

    private static final int LOG_BYTES = 16 << 10;

    private static final int[] OPTIONS = {
        CUjit_option.CU_JIT_INFO_LOG_BUFFER,
        CUjit_option.CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES,
        CUjit_option.CU_JIT_ERROR_LOG_BUFFER,
        CUjit_option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES
    };

    private final CudaContext context;
    private final DeviceHeap heap;
    private final Map<KernelModule, CUmodule> modules = new HashMap<>();
    private final Map<KernelEntry, CudaFunction> functions = new HashMap<>();

    ModuleCache(CudaContext context, DeviceHeap heap) {
        this.context = context;
        this.heap = heap;
    }

    /** The kernel, assembled at its first use. */
    CudaFunction function(KernelEntry entry) {
        CudaFunction known = functions.get(entry);
        if (known == null) {
            known = find(entry);
            functions.put(entry, known);
        }
        return known;
    }

    private CudaFunction find(KernelEntry entry) {
        EntrySignature signature = EntrySignature.of(entry)
                .orElseThrow(() -> new InternalException("there is no kernel " + entry
                        + "; this installation is damaged or mixes two versions, so install gpuquant again"));
        CUmodule module = modules.get(entry.module());
        if (module == null) {
            module = load(entry.module());
            modules.put(entry.module(), module);
        }
        CUfunction function = new CUfunction();
        context.check(JCudaDriver.cuModuleGetFunction(function, module, entry.name()), "looking for kernel " + entry);
        return new CudaFunction(context, entry, signature, function);
    }

    private CUmodule load(KernelModule source) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment information = arena.allocate(LOG_BYTES);
            MemorySegment errors = arena.allocate(LOG_BYTES);
            MemorySegment values = arena.allocateFrom(
                    ValueLayout.JAVA_LONG, information.address(), LOG_BYTES, errors.address(), LOG_BYTES);
            MemorySegment ptx = arena.allocateFrom(source.text());
            CUmodule module = new CUmodule();
            int result = heap.withRoom(() -> JCudaDriver.cuModuleLoadDataEx(
                    module, new HostPointer(ptx), OPTIONS.length, OPTIONS, new HostPointer(values)));
            if (result != CUresult.CUDA_SUCCESS) {
                throw failure(source, result, text(errors), text(information));
            }
            return module;
        }
    }

    private static String text(MemorySegment log) {
        log.set(ValueLayout.JAVA_BYTE, LOG_BYTES - 1, (byte) 0);
        return log.getString(0).strip();
    }

    private GpuQuantException failure(KernelModule source, int result, String errors, String information) {
        String log = Stream.of(errors, information)
                .filter(text -> !text.isEmpty())
                .map(text -> text.replaceAll("\\s*\\R\\s*", "; "))
                .collect(Collectors.joining("; "));
        String what = "the driver of " + context.deviceId() + " cannot assemble " + source + ": "
                + CudaErrors.name(result) + (log.isEmpty() ? "" : " (" + log + ")");
        return switch (result) {
            case CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION, CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU ->
                new ResourceException(what + "; install driver " + DriverLibrary.OLDEST_DRIVER + " or newer");
            case CUresult.CUDA_ERROR_JIT_COMPILER_NOT_FOUND ->
                new ResourceException(
                        what + "; libnvidia-ptxjitcompiler.so.1 of the driver is missing, so install the whole driver");
            case CUresult.CUDA_ERROR_OUT_OF_MEMORY ->
                new ResourceException(what + "; free the memory that other processes hold on the device");
            default ->
                new InternalException(
                        what + "; run 'gpuquant selftest --device " + context.deviceId() + "' and report its output");
        };
    }

    /** Unloads everything. */
    void close() {
        modules.forEach(
                (source, module) -> context.checkRelease(JCudaDriver.cuModuleUnload(module), "unloading " + source));
        modules.clear();
        functions.clear();
    }
}
