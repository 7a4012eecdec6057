package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import io.gpuquant.gguf.BlockLayout;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.tensor.DType;
import org.jspecify.annotations.Nullable;

/**
 * From scales of groups to blocks of ggml: units of which scales are multiples, levels for the scales that a reader sees, bytes.
 * {@code ptx/ggml_units.ptx}, {@code ptx/ggml_codebook.ptx} and {@code ptx/ggml_round.ptx} state the rules. All matrices are dense.
 */
public final class GgmlBlockKernels {

    private static final int PER_BLOCK = 128;
    private static final int SUPER_BLOCK = 256;

    private final Stream stream;
    private final KernelEntry positiveUnits;
    private final KernelEntry settleCodes;
    private final KernelEntry signedUnits;
    private final KernelEntry roundGroups;
    private final KernelEntry roundAgain;
    private final KernelEntry roundCodebook;
    private final KernelEntry pack;

    public GgmlBlockKernels(Stream stream) {
        this(
                stream,
                KernelFiles.module("ggml_units.ptx"),
                KernelFiles.module("ggml_round.ptx"),
                KernelFiles.module("ggml_codebook.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    GgmlBlockKernels(Stream stream, KernelModule units, KernelModule round, KernelModule codebook) {
        this.stream = stream;
        positiveUnits = units.entry("ggml_positive_units");
        settleCodes = units.entry("ggml_settle_codes");
        signedUnits = units.entry("ggml_signed_units");
        roundGroups = round.entry("ggml_round_groups");
        roundAgain = round.entry("ggml_round_again");
        pack = round.entry("ggml_pack");
        roundCodebook = codebook.entry("ggml_round_codebook");
    }

    /**
     * Integer codes of what is not negative: {@code value ≈ unit · code}.
     *
     * @param values F32 [blocks, groups]
     * @param sums F32 [blocks, groups], how much the error of a value counts; null for codes without a search
     * @param codes U8 [blocks, groups]
     * @param units F32 [1, blocks]
     */
    public void positiveUnits(
            DeviceMatrix values, @Nullable DeviceMatrix sums, int largest, DeviceMatrix codes, DeviceMatrix units) {
        requireCodes(values, codes, units);
        launch(
                positiveUnits,
                values.rows(),
                new KernelArguments()
                        .matrix(values)
                        .address(sums == null ? 0 : sums.address())
                        .matrix(codes)
                        .matrix(units)
                        .int32(values.rows())
                        .int32(values.columns())
                        .int32(largest));
    }

    /**
     * Changes codes to what a reader of the packed block will see of them.
     *
     * @param type Q2_K, Q4_K or Q5_K
     * @param scaleCodes U8 [blocks, groups]
     * @param minCodes U8 [blocks, groups]
     */
    public void settleCodes(GgmlType type, DeviceMatrix scaleCodes, DeviceMatrix minCodes) {
        TypeCode.require(scaleCodes, DType.U8, scaleCodes.rows(), scaleCodes.columns());
        TypeCode.require(minCodes, DType.U8, scaleCodes.rows(), scaleCodes.columns());
        TypeCode.requireDense(scaleCodes, minCodes);
        int rule = switch (type) {
            case Q2_K -> 0;
            case Q4_K -> 1;
            case Q5_K -> 2;
            default -> throw new IllegalArgumentException(type + " has no minima of groups");
        };
        launch(
                settleCodes,
                scaleCodes.rows(),
                new KernelArguments()
                        .matrix(scaleCodes)
                        .matrix(minCodes)
                        .int32(scaleCodes.rows())
                        .int32(scaleCodes.columns())
                        .int32(rule));
    }

    /**
     * Integer codes of scales of either sign: {@code value ≈ unit · code}; codes of Q3_K and IQ4_XS are raised by 32.
     *
     * @param type Q3_K, Q6_K or IQ4_XS
     * @param values F32 [blocks, groups]
     * @param codes U8 [blocks, groups]
     * @param units F32 [1, blocks]
     * @param levels U8 [blocks, 256], in which Q6_K makes blocks of negligible scales zeros; null for other types
     */
    public void signedUnits(
            GgmlType type, DeviceMatrix values, DeviceMatrix codes, DeviceMatrix units, @Nullable DeviceMatrix levels) {
        requireCodes(values, codes, units);
        int rule = switch (type) {
            case Q3_K -> 0;
            case Q6_K -> 1;
            case IQ4_XS -> 2;
            default -> throw new IllegalArgumentException(type + " has no signed scales of groups");
        };
        if (type == GgmlType.Q6_K && levels == null) {
            throw new IllegalArgumentException("Q6_K needs its levels");
        }
        launch(
                signedUnits,
                values.rows(),
                new KernelArguments()
                        .matrix(values)
                        .matrix(codes)
                        .matrix(units)
                        .address(levels == null ? 0 : levels.address())
                        .int32(values.rows())
                        .int32(values.columns())
                        .int32(rule));
    }

    /**
     * Scales and levels of groups of 32, without a search.
     *
     * @param type Q8_0, Q4_0, Q4_1, Q5_0 or Q5_1
     * @param x F32 [groups, 32]
     * @param levels U8 [groups, 32]
     * @param scales F32 [1, groups]
     * @param mins F32 [1, groups], the negated minima of Q4_1 and Q5_1; null for other types
     */
    public void roundGroups(
            GgmlType type, DeviceMatrix x, DeviceMatrix levels, DeviceMatrix scales, @Nullable DeviceMatrix mins) {
        TypeCode.require(x, DType.F32, x.rows(), 32);
        TypeCode.require(levels, DType.U8, x.rows(), 32);
        TypeCode.require(scales, DType.F32, 1, x.rows());
        TypeCode.requireDense(x, levels);
        int rule = switch (type) {
            case Q8_0 -> 0;
            case Q4_0, Q5_0 -> 1;
            case Q4_1, Q5_1 -> 2;
            default -> throw new IllegalArgumentException(type + " is searched for");
        };
        if (rule == 2 && mins == null) {
            throw new IllegalArgumentException(type + " has minima");
        }
        int largest = rule == 0 ? 127 : type == GgmlType.Q4_0 || type == GgmlType.Q4_1 ? 15 : 31;
        launch(
                roundGroups,
                x.rows(),
                new KernelArguments()
                        .matrix(x)
                        .matrix(levels)
                        .matrix(scales)
                        .address(mins == null ? 0 : mins.address())
                        .int32(x.rows())
                        .int32(largest)
                        .int32(rule));
    }

    /**
     * Integers of a block's groups and what they are multiples of.
     *
     * @param units F32 [1, blocks]
     * @param scaleCodes U8 [blocks, groups]
     * @param minUnits F32 [1, blocks], or null
     * @param minCodes U8 [blocks, groups], or null with {@code minUnits}
     */
    public record Codes(
            DeviceMatrix units,
            DeviceMatrix scaleCodes,
            @Nullable DeviceMatrix minUnits,
            @Nullable DeviceMatrix minCodes) {}

    /**
     * Levels for scales and minima as the block will have them; those of groups whose scale is zero stay.
     *
     * @param x F32 [blocks, 256]
     * @param codeZero what a scale code of zero is stored as
     * @param least what level zero stands for
     * @param most what the largest level stands for
     * @param levels U8 [blocks, 256]
     */
    public void roundAgain(DeviceMatrix x, Codes codes, int codeZero, int least, int most, DeviceMatrix levels) {
        TypeCode.require(x, DType.F32, x.rows(), SUPER_BLOCK);
        TypeCode.require(levels, DType.U8, x.rows(), SUPER_BLOCK);
        TypeCode.require(
                codes.scaleCodes(), DType.U8, x.rows(), codes.scaleCodes().columns());
        TypeCode.requireDense(x, levels);
        if (x.rows() == 0) {
            return;
        }
        stream.launch(
                roundAgain,
                Grids.elementwise(x.elementCount()),
                new KernelArguments()
                        .matrix(x)
                        .matrix(levels)
                        .matrix(codes.units())
                        .address(addressOf(codes.minUnits()))
                        .matrix(codes.scaleCodes())
                        .address(addressOf(codes.minCodes()))
                        .int32(Math.toIntExact(x.elementCount()))
                        .int32(SUPER_BLOCK / codes.scaleCodes().columns())
                        .int32(codeZero)
                        .int32(least)
                        .int32(most));
    }

    /**
     * Levels of weights that are a scale times a value of the codebook.
     *
     * @param x F32 [groups, 32]
     * @param scales F32 [1, groups], or, where there are codes, [1, groups / 8]
     * @param codes U8 [groups / 8, 8], raised by 32; null if every group has its own scale
     * @param levels U8 [groups, 32]
     */
    public void roundCodebook(DeviceMatrix x, DeviceMatrix scales, @Nullable DeviceMatrix codes, DeviceMatrix levels) {
        TypeCode.require(x, DType.F32, x.rows(), 32);
        TypeCode.require(levels, DType.U8, x.rows(), 32);
        TypeCode.require(scales, DType.F32, 1, codes == null ? x.rows() : codes.rows());
        TypeCode.requireDense(x, levels);
        if (x.rows() == 0) {
            return;
        }
        stream.launch(
                roundCodebook,
                Grids.elementwise(x.elementCount()),
                new KernelArguments()
                        .matrix(x)
                        .matrix(levels)
                        .matrix(scales)
                        .address(addressOf(codes))
                        .int32(Math.toIntExact(x.elementCount())));
    }

    /**
     * Bytes of blocks.
     *
     * @param layout I32 [blockBytes, 8]: {@link BlockLayout#pieces}
     * @param levels U8 [blocks, blockSize]
     * @param units F32 [1, blocks]
     * @param minUnits F32 [1, blocks], or null
     * @param scaleCodes U8 [blocks, groups], or null
     * @param minCodes U8 [blocks, groups], or null
     * @param packed U8 [blocks, blockBytes]
     */
    public void pack(
            DeviceMatrix layout,
            DeviceMatrix levels,
            DeviceMatrix units,
            @Nullable DeviceMatrix minUnits,
            @Nullable DeviceMatrix scaleCodes,
            @Nullable DeviceMatrix minCodes,
            DeviceMatrix packed) {
        TypeCode.require(levels, DType.U8, packed.rows(), levels.columns());
        TypeCode.require(packed, DType.U8, levels.rows(), layout.rows());
        TypeCode.require(layout, DType.I32, packed.columns(), BlockLayout.PIECES);
        TypeCode.require(units, DType.F32, 1, packed.rows());
        TypeCode.requireDense(levels, packed);
        if (packed.rows() == 0) {
            return;
        }
        stream.launch(
                pack,
                Grids.elementwise(packed.elementCount()),
                new KernelArguments()
                        .matrix(layout)
                        .matrix(levels)
                        .address(addressOf(scaleCodes))
                        .address(addressOf(minCodes))
                        .matrix(units)
                        .address(addressOf(minUnits))
                        .matrix(packed)
                        .int32(Math.toIntExact(packed.elementCount()))
                        .int32(packed.columns())
                        .int32(levels.columns())
                        .int32(scaleCodes == null ? 0 : scaleCodes.columns()));
    }

    private static void requireCodes(DeviceMatrix values, DeviceMatrix codes, DeviceMatrix units) {
        TypeCode.require(values, DType.F32, values.rows(), values.columns());
        TypeCode.require(codes, DType.U8, values.rows(), values.columns());
        TypeCode.require(units, DType.F32, 1, values.rows());
        TypeCode.requireDense(values, codes);
    }

    private static long addressOf(@Nullable DeviceMatrix matrix) {
        return matrix == null ? 0 : matrix.address();
    }

    private void launch(KernelEntry kernel, int count, KernelArguments arguments) {
        if (count > 0) {
            stream.launch(kernel, LaunchShape.linear(Grids.ceilDiv(count, PER_BLOCK), PER_BLOCK), arguments);
        }
    }
}
