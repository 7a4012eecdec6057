package io.gpuquant.kernels;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.Stream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.OptionalLong;

/** Searches for values that must not be there. */
public final class CheckKernels {

    private static final long NOT_FOUND = -1;

    private final Device device;
    private final KernelEntry findNonFinite;

    public CheckKernels(Device device) {
        this(device, KernelFiles.module("check.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    CheckKernels(Device device, KernelModule kernels) {
        this.device = device;
        findNonFinite = kernels.entry("find_nonfinite");
    }

    /**
     * The index, row by row, of the first NaN or infinity of a dense matrix of F32, F16 or BF16. Waits for the device.
     */
    public OptionalLong firstNonFinite(DeviceMatrix matrix) {
        TypeCode.requireDense(matrix);
        if (matrix.elementCount() == 0) {
            return OptionalLong.empty();
        }
        Stream stream = device.stream();
        try (DeviceBuffer result = device.allocate("index of a non-finite value", Long.BYTES);
                Arena arena = Arena.ofConfined()) {
            MemorySegment index = arena.allocate(ValueLayout.JAVA_LONG);
            index.set(ValueLayout.JAVA_LONG, 0, NOT_FOUND);
            stream.copyToDevice(index, result, 0);
            stream.launch(
                    findNonFinite,
                    Grids.elementwise(matrix.elementCount()),
                    new KernelArguments()
                            .matrix(matrix)
                            .int32(TypeCode.of(matrix))
                            .int64(matrix.elementCount())
                            .address(result.address()));
            stream.copyToHost(result, 0, index);
            stream.synchronize();
            long found = index.get(ValueLayout.JAVA_LONG, 0);
            return found == NOT_FOUND ? OptionalLong.empty() : OptionalLong.of(found);
        }
    }
}
