package io.gpuquant.kernels;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.kernels.GgmlBlockKernels.Codes;
import io.gpuquant.kernels.GgmlFitKernels.AffineSearch;
import io.gpuquant.tensor.DType;
import org.jspecify.annotations.Nullable;

/**
 * Weights into the blocks of one type on the device, byte for byte as ggml's reference quantizers write them. Holds scratch
 * memory, about twelve bytes for each weight of a call, which {@link #close} frees.
 */
public final class GgmlQuantizer implements AutoCloseable {

    private static final int SUPER_BLOCK = 256;
    private static final int GROUP = 32;
    private static final int SMALL_GROUP = 16;

    private final GgmlType type;
    private final int capacity;
    private final ConvertKernels convert;
    private final GgmlFitKernels fit;
    private final GgmlBlockKernels block;
    private final GgmlScratch scratch;

    /**
     * Allocates scratch memory.
     *
     * @param type a type with blocks
     * @param capacity weights that a call of {@link #quantize} may be given; 2²⁴ keep any GPU busy
     */
    public GgmlQuantizer(Device device, GgmlType type, int capacity) {
        this(device, type, capacity, new GgmlFitKernels(device.stream()), new GgmlBlockKernels(device.stream()));
    }

    /** With kernels from elsewhere, for tests. */
    GgmlQuantizer(Device device, GgmlType type, int capacity, GgmlFitKernels fit, GgmlBlockKernels block) {
        this.type = type;
        this.capacity = capacity;
        this.convert = new ConvertKernels(device.stream());
        this.fit = fit;
        this.block = block;
        this.scratch = new GgmlScratch(device, type, capacity);
    }

    /**
     * Quantizes rows. The work is on the device's stream when this returns.
     *
     * @param weights finite F32, F16 or BF16 [rows, columns], dense; columns a multiple of the type's block size, and at most
     *     {@code capacity} weights
     * @param importance F32 [1, columns], non-negative: how much errors of a column count, the mean square of its input;
     *     null where none is known. Q8_0 ignores it
     * @param blocks U8 [rows, bytes of a row], dense
     */
    public void quantize(DeviceMatrix weights, @Nullable DeviceMatrix importance, DeviceMatrix blocks) {
        if (!type.divides(weights.columns()) || weights.elementCount() > capacity) {
            throw new IllegalArgumentException(
                    weights + " does not fill blocks of " + type + ", or has more than " + capacity + " weights");
        }
        TypeCode.requireDense(weights, blocks);
        TypeCode.require(blocks, DType.U8, weights.rows(), Math.toIntExact(type.bytes(weights.columns())));
        if (weights.elementCount() == 0) {
            return;
        }
        DeviceMatrix x = weights;
        if (weights.dtype() != DType.F32) {
            x = floats(scratch.widened, weights.rows(), weights.columns());
            convert.convert(weights, x);
        }
        int count = Math.toIntExact(blocks.elementCount() / type.blockBytes());
        DeviceMatrix packed = blocks.reshape(count, type.blockBytes());
        switch (type) {
            case Q8_0 -> legacy(x, null, packed);
            case Q4_0, Q4_1, Q5_0, Q5_1 -> legacy(x, importance, packed);
            case Q2_K, Q4_K, Q5_K -> affine(x, importance, packed);
            case Q3_K -> q3(x, importance, packed);
            case Q6_K -> q6(x, importance, packed);
            case IQ4_NL, IQ4_XS -> codebook(x, importance, packed);
            case F32, F16, BF16 -> throw new IllegalStateException(type + " has no blocks");
        }
    }

    private void legacy(DeviceMatrix x, @Nullable DeviceMatrix importance, DeviceMatrix packed) {
        boolean hasMins = type == GgmlType.Q4_1 || type == GgmlType.Q5_1;
        int levelCount = type == GgmlType.Q4_0 || type == GgmlType.Q4_1 ? 16 : 32;
        int groups = packed.rows();
        DeviceMatrix grouped = x.reshape(groups, GROUP);
        DeviceMatrix levels = bytes(scratch.levels, groups, GROUP);
        DeviceMatrix scales = floats(scratch.scales, 1, groups);
        DeviceMatrix mins = hasMins ? floats(scratch.mins, 1, groups) : null;
        if (importance == null) {
            block.roundGroups(type, grouped, levels, scales, mins);
        } else {
            DeviceMatrix weights = errorWeights(x, x.columns(), x.columns(), importance);
            weights = weights.reshape(groups, GROUP);
            if (mins == null) {
                fit.symmetric(grouped, weights, levelCount / 2, levels, scales, null);
            } else {
                fit.affine(
                        grouped, weights, fine(levelCount - 1), levels, scales, mins, floats(scratch.sums, 1, groups));
            }
        }
        block.pack(scratch.layout, levels, scales, mins, null, null, packed);
    }

    private void affine(DeviceMatrix x, @Nullable DeviceMatrix importance, DeviceMatrix packed) {
        boolean small = type == GgmlType.Q2_K;
        int size = small ? SMALL_GROUP : GROUP;
        int groups = Math.toIntExact(x.elementCount() / size);
        AffineSearch search = switch (type) {
            case Q2_K -> new AffineSearch(3, -0.5f, 0.1f, 16, true);
            case Q4_K -> new AffineSearch(15, -1f, 0.1f, 21, false);
            default -> new AffineSearch(31, -0.5f, 0.1f, 16, false);
        };
        DeviceMatrix weights;
        if (importance != null) {
            search = fine(search.largestLevel());
            weights = errorWeights(x, SUPER_BLOCK, small ? SUPER_BLOCK : SUPER_BLOCK / 2, importance);
        } else {
            weights = floats(scratch.errorWeights, x.rows(), x.columns());
            DeviceMatrix spreads = small ? null : spreads(x, GROUP, GROUP);
            fit.errorWeights(x, spreads, null, false, weights);
        }
        DeviceMatrix levels = bytes(scratch.levels, groups, size);
        DeviceMatrix scales = floats(scratch.scales, 1, groups);
        DeviceMatrix mins = floats(scratch.mins, 1, groups);
        DeviceMatrix sums = floats(scratch.sums, 1, groups);
        fit.affine(x.reshape(groups, size), weights.reshape(groups, size), search, levels, scales, mins, sums);

        int blocks = packed.rows();
        int perBlock = SUPER_BLOCK / size;
        int largest = small ? 15 : 63;
        DeviceMatrix errors = importance == null ? null : sums.reshape(blocks, perBlock);
        DeviceMatrix minCodes = bytes(scratch.minCodes, blocks, perBlock);
        DeviceMatrix minUnits = floats(scratch.minUnits, 1, blocks);
        Codes codes = codes(blocks, perBlock, minUnits, minCodes);
        block.positiveUnits(scales.reshape(blocks, perBlock), errors, largest, codes.scaleCodes(), codes.units());
        block.positiveUnits(mins.reshape(blocks, perBlock), errors, largest, minCodes, minUnits);
        block.settleCodes(type, codes.scaleCodes(), minCodes);
        finish(x, codes, 0, 0, search.largestLevel(), packed);
    }

    private void q3(DeviceMatrix x, @Nullable DeviceMatrix importance, DeviceMatrix packed) {
        int groups = Math.toIntExact(x.elementCount() / SMALL_GROUP);
        int blocks = packed.rows();
        int perBlock = SUPER_BLOCK / SMALL_GROUP;
        DeviceMatrix grouped = x.reshape(groups, SMALL_GROUP);
        DeviceMatrix levels = bytes(scratch.levels, groups, SMALL_GROUP);
        DeviceMatrix scales = floats(scratch.scales, 1, groups);
        Codes codes = codes(blocks, perBlock, null, null);
        if (importance == null) {
            fit.descent(grouped, levels, scales);
            block.signedUnits(type, scales.reshape(blocks, perBlock), codes.scaleCodes(), codes.units(), null);
        } else {
            DeviceMatrix weights = errorWeights(x, SUPER_BLOCK, SUPER_BLOCK / 2, importance);
            DeviceMatrix sums = floats(scratch.sums, 1, groups);
            fit.symmetric(grouped, weights.reshape(groups, SMALL_GROUP), 4, levels, scales, sums);
            fit.symmetric(
                    scales.reshape(blocks, perBlock),
                    sums.reshape(blocks, perBlock),
                    32,
                    codes.scaleCodes(),
                    codes.units(),
                    null);
        }
        finish(x, codes, 32, -4, 3, packed);
    }

    private void q6(DeviceMatrix x, @Nullable DeviceMatrix importance, DeviceMatrix packed) {
        int groups = Math.toIntExact(x.elementCount() / SMALL_GROUP);
        int blocks = packed.rows();
        int perBlock = SUPER_BLOCK / SMALL_GROUP;
        DeviceMatrix weights = floats(scratch.errorWeights, x.rows(), x.columns());
        fit.errorWeights(x, null, importance, importance == null, weights);
        DeviceMatrix levels = bytes(scratch.levels, groups, SMALL_GROUP);
        DeviceMatrix scales = floats(scratch.scales, 1, groups);
        fit.symmetric(x.reshape(groups, SMALL_GROUP), weights.reshape(groups, SMALL_GROUP), 32, levels, scales, null);
        Codes codes = codes(blocks, perBlock, null, null);
        block.signedUnits(
                type,
                scales.reshape(blocks, perBlock),
                codes.scaleCodes(),
                codes.units(),
                levels.reshape(blocks, SUPER_BLOCK));
        finish(x, codes, 0, -32, 31, packed);
    }

    private void codebook(DeviceMatrix x, @Nullable DeviceMatrix importance, DeviceMatrix packed) {
        int size = type.blockSize();
        int groups = Math.toIntExact(x.elementCount() / GROUP);
        DeviceMatrix weights;
        if (importance == null) {
            weights = floats(scratch.errorWeights, x.rows(), x.columns());
            fit.errorWeights(x, null, null, true, weights);
        } else {
            weights = errorWeights(x, size, size / 2, importance);
        }
        DeviceMatrix grouped = x.reshape(groups, GROUP);
        DeviceMatrix scales = floats(scratch.scales, 1, groups);
        DeviceMatrix levels = bytes(scratch.levels, groups, GROUP);
        fit.codebook(grouped, weights.reshape(groups, GROUP), scales);
        if (type == GgmlType.IQ4_NL) {
            block.roundCodebook(grouped, scales, null, levels);
            block.pack(scratch.layout, levels, scales, null, null, null, packed);
            return;
        }
        int blocks = packed.rows();
        int perBlock = SUPER_BLOCK / GROUP;
        Codes codes = codes(blocks, perBlock, null, null);
        block.signedUnits(type, scales.reshape(blocks, perBlock), codes.scaleCodes(), codes.units(), null);
        block.roundCodebook(grouped, codes.units(), codes.scaleCodes(), levels);
        block.pack(
                scratch.layout,
                levels.reshape(blocks, SUPER_BLOCK),
                codes.units(),
                null,
                codes.scaleCodes(),
                null,
                packed);
    }

    /** What ggml does with importance. */
    private static AffineSearch fine(int largestLevel) {
        return new AffineSearch(largestLevel, -0.9f, 0.05f, 37, false);
    }

    private DeviceMatrix spreads(DeviceMatrix x, int length, float divisor) {
        int count = Math.toIntExact(x.elementCount() / length);
        DeviceMatrix spreads = floats(scratch.spreads, 1, count);
        fit.spreads(x.reshape(count, length), divisor, spreads);
        return spreads;
    }

    private DeviceMatrix errorWeights(DeviceMatrix x, int length, float divisor, DeviceMatrix importance) {
        DeviceMatrix weights = floats(scratch.errorWeights, x.rows(), x.columns());
        fit.errorWeights(x, spreads(x, length, divisor), importance, true, weights);
        return weights;
    }

    private Codes codes(int blocks, int perBlock, @Nullable DeviceMatrix minUnits, @Nullable DeviceMatrix minCodes) {
        return new Codes(
                floats(scratch.units, 1, blocks), bytes(scratch.scaleCodes, blocks, perBlock), minUnits, minCodes);
    }

    /** Levels for the final scales, and bytes. */
    private void finish(DeviceMatrix x, Codes codes, int codeZero, int least, int most, DeviceMatrix packed) {
        int blocks = packed.rows();
        DeviceMatrix levels = bytes(scratch.levels, blocks, SUPER_BLOCK);
        block.roundAgain(x.reshape(blocks, SUPER_BLOCK), codes, codeZero, least, most, levels);
        block.pack(
                scratch.layout, levels, codes.units(), codes.minUnits(), codes.scaleCodes(), codes.minCodes(), packed);
    }

    private static DeviceMatrix floats(DeviceBuffer buffer, int rows, int columns) {
        return DeviceMatrix.of(buffer, DType.F32, rows, columns);
    }

    private static DeviceMatrix bytes(DeviceBuffer buffer, int rows, int columns) {
        return DeviceMatrix.of(buffer, DType.U8, rows, columns);
    }

    @Override
    public void close() {
        scratch.close();
    }
}
