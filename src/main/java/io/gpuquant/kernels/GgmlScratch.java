package io.gpuquant.kernels;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.gguf.BlockLayout;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Memory between the kernels that quantize to one type, for a number of weights: about twelve bytes for each. */
final class GgmlScratch implements AutoCloseable {

    private static final int SMALLEST_GROUP = 16;

    private final List<DeviceBuffer> buffers = new ArrayList<>();

    /** Weights in float32. */
    final DeviceBuffer widened;

    /** How much the error of each weight counts. */
    final DeviceBuffer errorWeights;

    /** What searches know of rows, blocks or groups. */
    final DeviceBuffer spreads;

    /** Levels of weights. */
    final DeviceBuffer levels;

    /** Scales of groups. */
    final DeviceBuffer scales;

    /** Negated minima of groups. */
    final DeviceBuffer mins;

    /** How much the errors of groups count. */
    final DeviceBuffer sums;

    /** What scales are multiples of. */
    final DeviceBuffer units;

    /** What minima are multiples of. */
    final DeviceBuffer minUnits;

    /** Integer scales. */
    final DeviceBuffer scaleCodes;

    /** Integer minima. */
    final DeviceBuffer minCodes;

    /** The pieces of a block's bytes. */
    final DeviceMatrix layout;

    GgmlScratch(Device device, GgmlType type, int weights) {
        long groups = Math.ceilDiv(weights, SMALLEST_GROUP);
        int[] pieces = BlockLayout.pieces(type);
        try {
            widened = allocate(device, "weights in float32", (long) Float.BYTES * weights);
            errorWeights = allocate(device, "weights of errors", (long) Float.BYTES * weights);
            spreads = allocate(device, "spreads of weights", Float.BYTES * groups);
            levels = allocate(device, "levels", weights);
            scales = allocate(device, "scales of groups", Float.BYTES * groups);
            mins = allocate(device, "minima of groups", Float.BYTES * groups);
            sums = allocate(device, "weights of groups", Float.BYTES * groups);
            units = allocate(device, "units of scales", Float.BYTES * groups);
            minUnits = allocate(device, "units of minima", Float.BYTES * groups);
            scaleCodes = allocate(device, "integer scales", groups);
            minCodes = allocate(device, "integer minima", groups);
            DeviceBuffer table = allocate(device, "layout of a block", (long) Integer.BYTES * pieces.length);
            device.stream().copyToDevice(MemorySegment.ofArray(pieces), table, 0);
            layout = DeviceMatrix.of(table, DType.I32, type.blockBytes(), BlockLayout.PIECES);
        } catch (Throwable failure) {
            close();
            throw failure;
        }
    }

    private DeviceBuffer allocate(Device device, String name, long bytes) {
        DeviceBuffer buffer = device.allocate(name, Math.max(1, bytes));
        buffers.add(buffer);
        return buffer;
    }

    @Override
    public void close() {
        buffers.forEach(DeviceBuffer::close);
    }
}
