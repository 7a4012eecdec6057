package io.gpuquant.quantize;

import io.gpuquant.InputException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;

/** The diagonal of a Gram matrix: the squared norms of input features. */
public final class GramDiagonal {

    private GramDiagonal() {}

    /** The diagonal. Waits for the device. */
    static float[] of(Device device, DeviceMatrix gram) {
        int n = gram.rows();
        DeviceMatrix diagonal = DeviceMatrix.allocate(device, "diagonal of the Gram matrix", DType.F32, n, 1);
        float[] values = new float[n];
        try (var buffer = diagonal.buffer()) {
            // The diagonal is a column whose rows lie one row and one element apart.
            new ConvertKernels(device.stream())
                    .copy(new DeviceMatrix(gram.buffer(), gram.byteOffset(), DType.F32, n, 1, n + 1), diagonal);
            device.stream().copyToHost(diagonal, MemorySegment.ofArray(values));
            device.stream().synchronize();
        }
        return values;
    }

    /**
     * Fails unless all of a diagonal is finite.
     *
     * @param linear one that has the input
     */
    static void requireFinite(float[] diagonal, String linear) {
        for (int i = 0; i < diagonal.length; i++) {
            if (!Float.isFinite(diagonal[i])) {
                throw new InputException("input feature " + i + " of " + linear
                        + " is not a finite number for some token of the calibration text; the checkpoint is damaged, or"
                        + " its activations exceed the range of its type");
            }
        }
    }

    /**
     * Fails unless all inputs were finite.
     *
     * @param linear one that has the input
     * @throws InputException when some were not
     */
    public static void requireFinite(Device device, DeviceMatrix gram, String linear) {
        requireFinite(of(device, gram), linear);
    }
}
