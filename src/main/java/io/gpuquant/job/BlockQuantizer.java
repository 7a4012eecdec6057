package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.gguf.HostQuantizer;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Weights in this process's memory into blocks of any type. Where it computes does not change a byte. */
interface BlockQuantizer extends AutoCloseable {

    /** Enough weights at a time for any processor or GPU; 64 MB of blocks at most. */
    int MOST_WEIGHTS = 1 << 24;

    /** How many weights of a type may be given at a time, at least a row of them. */
    int capacity(GgmlType type, int columns);

    /**
     * Quantizes a dense matrix.
     *
     * @param weights finite, of F32, F16 or BF16, native memory
     * @param importance for each column; null where none is known
     * @param blocks gets the blocks of all rows, native memory
     */
    void quantize(
            GgmlType type,
            MemorySegment weights,
            DType dtype,
            int rows,
            int columns,
            float @Nullable [] importance,
            MemorySegment blocks);

    @Override
    void close();

    /** On the threads of the processor. */
    static BlockQuantizer onProcessor(int threads) {
        return new BlockQuantizer() {
            @Override
            public int capacity(GgmlType type, int columns) {
                return Math.max(columns, MOST_WEIGHTS);
            }

            @Override
            public void quantize(
                    GgmlType type,
                    MemorySegment weights,
                    DType dtype,
                    int rows,
                    int columns,
                    float @Nullable [] importance,
                    MemorySegment blocks) {
                new HostQuantizer(type, threads).quantize(weights, dtype, rows, columns, importance, blocks);
            }

            @Override
            public void close() {}
        };
    }

    /** By the kernels of a device; types without blocks on the processor all the same. */
    static BlockQuantizer onDevice(Device device, int threads) {
        return new DeviceBlocks(device, threads);
    }
}
