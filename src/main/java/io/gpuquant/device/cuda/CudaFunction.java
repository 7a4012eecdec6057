package io.gpuquant.device.cuda;

import io.gpuquant.ResourceException;
import io.gpuquant.device.KernelEntry;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.JCudaDriver;

/** A kernel of a loaded module. */
final class CudaFunction {

    /** Shared memory that a block may have, static and dynamic together, without asking for more. */
    private static final int SHARED_BYTES_BY_RIGHT = 48 << 10;

    private final CudaContext context;
    private final KernelEntry entry;
    private final EntrySignature signature;
    private final CUfunction handle;
    private final int staticSharedBytes;
    private int allowedDynamicBytes;

    CudaFunction(CudaContext context, KernelEntry entry, EntrySignature signature, CUfunction handle) {
        this.context = context;
        this.entry = entry;
        this.signature = signature;
        this.handle = handle;
        int[] bytes = new int[1];
        context.check(
                JCudaDriver.cuFuncGetAttribute(bytes, CUfunction_attribute.CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, handle),
                "asking for the shared memory of " + entry);
        staticSharedBytes = bytes[0];
        allowedDynamicBytes = SHARED_BYTES_BY_RIGHT - staticSharedBytes;
    }

    CUfunction handle() {
        return handle;
    }

    EntrySignature signature() {
        return signature;
    }

    /**
     * Allows launches with this much dynamic shared memory.
     *
     * @throws ResourceException when the device has less
     */
    void allowDynamicShared(int bytes) {
        if (bytes <= allowedDynamicBytes) {
            return;
        }
        int available = context.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
        if ((long) bytes + staticSharedBytes > available) {
            throw new ResourceException("kernel " + entry + " needs " + ((long) bytes + staticSharedBytes)
                    + " bytes of shared memory per block and " + context.deviceId() + " has " + available
                    + "; use another GPU, or --device host");
        }
        context.check(
                JCudaDriver.cuFuncSetAttribute(
                        handle, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes),
                "allowing " + entry + " " + bytes + " bytes of shared memory");
        allowedDynamicBytes = bytes;
    }
}
