package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.gguf.HostQuantizer;
import io.gpuquant.kernels.GgmlQuantizer;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Quantizes by kernels, with scratch memory that is kept for each type. */
final class DeviceBlocks implements BlockQuantizer {

    /** Scratch memory, the weights themselves and their blocks. */
    private static final int BYTES_PER_WEIGHT = 20;

    /** A mix has three types, and fallbacks double them at worst. */
    private static final int TYPES_AT_A_TIME = 6;

    private final Device device;
    private final int threads;
    private final int most;
    private final Map<GgmlType, GgmlQuantizer> quantizers = new EnumMap<>(GgmlType.class);
    private final Map<GgmlType, Integer> capacities = new EnumMap<>(GgmlType.class);

    DeviceBlocks(Device device, int threads) {
        this.device = device;
        this.threads = threads;
        most = (int) Math.min(MOST_WEIGHTS, device.availableBytes() / BYTES_PER_WEIGHT / TYPES_AT_A_TIME);
    }

    @Override
    public int capacity(GgmlType type, int columns) {
        return Math.max(columns, most);
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
        if (!type.isQuantized()) {
            new HostQuantizer(type, threads).quantize(weights, dtype, rows, columns, importance, blocks);
            return;
        }
        GgmlQuantizer quantizer = quantizer(type, Math.multiplyExact(rows, columns));
        int rowBytes = Math.toIntExact(type.bytes(columns));
        DeviceMatrix source = DeviceMatrix.allocate(device, "weights to quantize", dtype, rows, columns);
        try (DeviceBuffer first = source.buffer();
                DeviceBuffer second = device.allocate("blocks", (long) rows * rowBytes);
                DeviceBuffer third = device.allocate("importance of columns", DType.F32.bytes(columns))) {
            device.stream().copyToDevice(weights, source);
            DeviceMatrix counted = importance == null ? null : DeviceMatrix.of(third, DType.F32, 1, columns);
            if (counted != null) {
                device.stream().copyToDevice(MemorySegment.ofArray(importance), counted);
            }
            DeviceMatrix packed = DeviceMatrix.of(second, DType.U8, rows, rowBytes);
            quantizer.quantize(source, counted, packed);
            device.stream().copyToHost(packed, blocks);
            device.stream().synchronize();
        }
    }

    private GgmlQuantizer quantizer(GgmlType type, int weights) {
        if (capacities.getOrDefault(type, 0) < weights) {
            GgmlQuantizer smaller = quantizers.remove(type);
            if (smaller != null) {
                smaller.close();
            }
            quantizers.put(type, new GgmlQuantizer(device, type, weights));
            capacities.put(type, weights);
        }
        return Objects.requireNonNull(quantizers.get(type));
    }

    @Override
    public void close() {
        quantizers.values().forEach(GgmlQuantizer::close);
    }
}
