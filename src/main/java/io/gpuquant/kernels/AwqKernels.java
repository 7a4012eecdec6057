package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;
import org.jspecify.annotations.Nullable;

/**
 * The steps of AWQ (Lin et al., arXiv 2306.00978): statistics, candidate scales, rounding of scaled weights, choice of cuts.
 * Groups are multiples of four input features, and matrices start at multiples of 16 bytes.
 */
public final class AwqKernels {

    /** Rows of the partial sums that {@link #addAbsoluteSums} adds to; the sum over them is the result. */
    public static final int BANDS = 64;

    /** Cuts that {@link Cut} knows, the whole range included: 1, 0.95 ... 0.55 of it. */
    public static final int CUTS = 10;

    private static final int COLUMNS_PER_BLOCK = 128;

    /** Rows that a block of the kernels that go by groups works on: four to a warp. */
    private static final int ROWS_PER_BLOCK = 32;

    private static final int VECTOR = 4;

    private final Stream stream;
    private final KernelEntry columnSums;
    private final KernelEntry groupShares;
    private final KernelEntry candidateScales;
    private final KernelEntry roundScaled;
    private final KernelEntry chooseCuts;

    public AwqKernels(Stream stream) {
        this(stream, KernelFiles.module("awq.ptx"), KernelFiles.module("awq_grid.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    AwqKernels(Stream stream, KernelModule statistics, KernelModule grids) {
        this.stream = stream;
        columnSums = statistics.entry("column_sums");
        groupShares = statistics.entry("group_shares");
        candidateScales = statistics.entry("candidate_scales");
        roundScaled = grids.entry("round_scaled");
        chooseCuts = grids.entry("choose_cuts");
    }

    /**
     * Adds the absolute values of each column.
     *
     * @param matrix F32, F16 or BF16 [rows, n]; may be a window
     * @param partials F32 [{@link #BANDS}, n], dense; row {@code b} gets what rows {@code b}, {@code b + BANDS} ... add
     */
    public void addAbsoluteSums(DeviceMatrix matrix, DeviceMatrix partials) {
        addSums(matrix, partials, 0);
    }

    /**
     * Adds the squares of each column.
     *
     * @param matrix F32, F16 or BF16 [rows, n]; may be a window
     * @param partials as in {@link #addAbsoluteSums}
     */
    public void addSquareSums(DeviceMatrix matrix, DeviceMatrix partials) {
        addSums(matrix, partials, 1);
    }

    private void addSums(DeviceMatrix matrix, DeviceMatrix partials, int squares) {
        TypeCode.require(partials, DType.F32, BANDS, matrix.columns());
        TypeCode.requireDense(partials);
        requireVectors(matrix);
        requireVectors(partials);
        if (matrix.elementCount() == 0) {
            return;
        }
        stream.launch(
                columnSums,
                LaunchShape.grid(
                        Grids.ceilDiv(matrix.columns(), COLUMNS_PER_BLOCK),
                        Grids.ceilDiv(BANDS, Grids.ROWS_PER_BLOCK),
                        Grids.THREADS),
                new KernelArguments()
                        .matrix(partials)
                        .int32(BANDS)
                        .matrix(matrix)
                        .int32(TypeCode.of(matrix))
                        .int32(matrix.stride())
                        .int32(matrix.rows())
                        .int32(matrix.columns())
                        .int32(squares));
    }

    /**
     * What part each weight is of the largest of its group: {@code |w| / (max |w| + 1e-6)}.
     *
     * @param weights F32 [rows, groups * groupSize], dense
     * @param shares as {@code weights}; may be the same
     */
    public void groupShares(DeviceMatrix weights, int groupSize, DeviceMatrix shares) {
        int groups = countGroups(weights, groupSize);
        TypeCode.require(shares, DType.F32, weights.rows(), weights.columns());
        TypeCode.requireDense(weights, shares);
        if (weights.elementCount() == 0) {
            return;
        }
        stream.launch(
                groupShares,
                Grids.warpPerRow(Math.multiplyExact(weights.rows(), groups), groupSize),
                new KernelArguments()
                        .matrix(shares)
                        .matrix(weights)
                        .int32(weights.rows())
                        .int32(groups)
                        .int32(groupSize));
    }

    /**
     * Sums that a mean is made of.
     *
     * @param partials F32 [{@link #BANDS}, n], dense
     * @param count what the sum over the bands is divided by
     */
    public record Mean(DeviceMatrix partials, long count) {

        float factor() {
            return (float) (1.0 / count);
        }
    }

    /**
     * The scales that a search tries: a row of ones, then for each ratio {@code r = 0, 1/n ... (n-1)/n} a row of {@code s /
     * sqrt(max s * min s)} with {@code s = x^r / (w^(1-r) + 1e-4)}, at least 1e-4; one where that is not finite.
     *
     * @param x the mean absolute input, per input feature
     * @param w the mean share of weights in their group's largest, per input feature; without it {@code s = x^r}
     * @param scales F32 [1 + ratios, in], dense
     */
    public void candidateScales(Mean x, @Nullable Mean w, DeviceMatrix scales) {
        int columns = scales.columns();
        TypeCode.require(x.partials(), DType.F32, BANDS, columns);
        TypeCode.requireDense(x.partials(), scales);
        Mean weights = w == null ? x : w;
        TypeCode.require(weights.partials(), DType.F32, BANDS, columns);
        stream.launch(
                candidateScales,
                LaunchShape.linear(scales.rows(), Grids.THREADS),
                new KernelArguments()
                        .matrix(scales)
                        .matrix(x.partials())
                        .float32(x.factor())
                        .matrix(weights.partials())
                        .float32(weights.factor())
                        .int32(BANDS)
                        .int32(columns)
                        .int32(Math.max(1, scales.rows() - 1))
                        .int32(w == null ? 0 : 1));
    }

    /**
     * How far a group's range is cut: to {@code 1 - 0.05 k} of its largest absolute weight.
     *
     * @param each U8 [rows, groups], dense: k of each group; null where all have {@code all}
     * @param all k of all groups
     */
    public record Cut(@Nullable DeviceMatrix each, int all) {

        /** Whole ranges. */
        public static final Cut NONE = new Cut(null, 0);

        public Cut {
            if (all < 0 || all >= CUTS) {
                throw new IllegalArgumentException("cut number " + all);
            }
        }

        private long address() {
            return each == null ? 0 : each.address();
        }
    }

    /**
     * Where a rounding puts its codes.
     *
     * @param codes U8 [rows, n], dense
     * @param scales F16 [groups, rows]; may be a window
     * @param zeros U8 [groups, rows] with the stride of {@code scales}
     */
    public record Codes(DeviceMatrix codes, DeviceMatrix scales, DeviceMatrix zeros) {

        public Codes {
            TypeCode.require(zeros, DType.U8, scales.rows(), scales.columns());
            TypeCode.requireDense(codes);
            if (scales.stride() != zeros.stride()) {
                throw new IllegalArgumentException(scales + " and " + zeros + " have different strides");
            }
        }
    }

    /**
     * Weights to round.
     *
     * @param weights F32 [rows, groups * groupSize], dense
     * @param columnScales F32 [1, n], dense: what each column is multiplied by before it is rounded; null for ones
     */
    public record Rounding(
            DeviceMatrix weights, @Nullable DeviceMatrix columnScales, int groupSize, QuantizationGrid grid, Cut cut) {

        public Rounding {
            int groups = countGroups(weights, groupSize);
            TypeCode.requireDense(weights);
            if (columnScales != null) {
                TypeCode.require(columnScales, DType.F32, 1, weights.columns());
                requireVectors(columnScales);
            }
            if (cut.each() != null) {
                TypeCode.require(cut.each(), DType.U8, weights.rows(), groups);
            }
            if (grid.smallestZero() != 0 || grid.search() != QuantizationGrid.Search.MIN_MAX) {
                throw new IllegalArgumentException("AWQ with " + grid);
            }
        }

        private int groups() {
            return weights.columns() / groupSize;
        }
    }

    /**
     * The weights that rounding leaves: scaled, rounded to the grid of the cut range, and scaled back.
     *
     * @param values F32, F16 or BF16 [rows, n], dense
     */
    public void roundedWeights(Rounding rounding, DeviceMatrix values) {
        TypeCode.require(values, rounding.weights().rows(), rounding.weights().columns());
        launch(rounding, values, 0, null);
    }

    /**
     * The weights less what rounding leaves of them.
     *
     * @param errors F32 [rows, n], dense
     */
    public void roundingErrors(Rounding rounding, DeviceMatrix errors) {
        roundingErrors(rounding, errors, null);
    }

    /** As {@link #roundingErrors(Rounding, DeviceMatrix)}; also keeps the codes. */
    public void roundingErrors(Rounding rounding, DeviceMatrix errors, @Nullable Codes codes) {
        DeviceMatrix weights = rounding.weights();
        TypeCode.require(errors, DType.F32, weights.rows(), weights.columns());
        if (codes != null) {
            TypeCode.require(codes.codes(), DType.U8, weights.rows(), weights.columns());
            TypeCode.require(codes.scales(), DType.F16, rounding.groups(), weights.rows());
        }
        launch(rounding, errors, 1, codes);
    }

    private void launch(Rounding rounding, DeviceMatrix out, int mode, @Nullable Codes codes) {
        DeviceMatrix weights = rounding.weights();
        DeviceMatrix columnScales = rounding.columnScales();
        TypeCode.requireDense(out);
        requireVectors(weights);
        requireVectors(out);
        if (weights.elementCount() == 0) {
            return;
        }
        int groups = rounding.groups();
        stream.launch(
                roundScaled,
                rowsByGroups(weights.rows(), groups),
                new KernelArguments()
                        .matrix(out)
                        .int32(TypeCode.of(out))
                        .int32(mode)
                        .matrix(weights)
                        .address(columnScales == null ? 0 : columnScales.address())
                        .address(rounding.cut().address())
                        .int32(rounding.cut().all())
                        .address(codes == null ? 0 : codes.codes().address())
                        .address(codes == null ? 0 : codes.scales().address())
                        .address(codes == null ? 0 : codes.zeros().address())
                        .int32(codes == null ? 0 : codes.scales().stride())
                        .int32(weights.rows())
                        .int32(groups)
                        .int32(rounding.groupSize())
                        .int32(rounding.grid().largestCode())
                        .int32(rounding.grid().symmetric() ? 1 : 0)
                        .int32(rounding.grid().bf16Scales() ? 1 : 0));
    }

    /**
     * What a search for cuts has found.
     *
     * @param losses F32 [rows, groups], dense
     * @param cuts U8 [rows, groups], dense
     */
    public record Cuts(DeviceMatrix losses, DeviceMatrix cuts) {

        public Cuts {
            TypeCode.require(losses, DType.F32, cuts.rows(), cuts.columns());
            TypeCode.requireDense(losses, cuts);
        }
    }

    /**
     * Compares a cut with the best so far, group by group; candidate 0 begins.
     *
     * @param errors F32 [rows, groups * groupSize], dense: what rounding with this cut does to the weights
     * @param products F32 of the same extents: each group's errors times its block of the Gram matrix
     */
    public void chooseCuts(int candidate, DeviceMatrix errors, DeviceMatrix products, int groupSize, Cuts best) {
        int groups = countGroups(errors, groupSize);
        TypeCode.require(products, DType.F32, errors.rows(), errors.columns());
        TypeCode.require(best.cuts(), DType.U8, errors.rows(), groups);
        TypeCode.requireDense(errors, products);
        requireVectors(errors);
        requireVectors(products);
        if (errors.elementCount() == 0) {
            return;
        }
        stream.launch(
                chooseCuts,
                rowsByGroups(errors.rows(), groups),
                new KernelArguments()
                        .matrix(best.losses())
                        .matrix(best.cuts())
                        .int32(candidate)
                        .matrix(errors)
                        .matrix(products)
                        .int32(errors.rows())
                        .int32(groups)
                        .int32(groupSize));
    }

    private static LaunchShape rowsByGroups(int rows, int groups) {
        return LaunchShape.grid(
                Grids.ceilDiv(rows, ROWS_PER_BLOCK), Math.min(groups, Grids.MOST_BLOCKS_Y), Grids.THREADS);
    }

    private static int countGroups(DeviceMatrix weights, int groupSize) {
        if (groupSize < VECTOR || groupSize % VECTOR != 0 || weights.columns() % groupSize != 0) {
            throw new IllegalArgumentException("groups of " + groupSize + " in " + weights);
        }
        return weights.columns() / groupSize;
    }

    private static void requireVectors(DeviceMatrix matrix) {
        long bytes = matrix.dtype().bytes(VECTOR);
        if (matrix.columns() % VECTOR != 0 || matrix.stride() % VECTOR != 0 || matrix.address() % bytes != 0) {
            throw new IllegalArgumentException(matrix + " does not consist of aligned fours");
        }
    }
}
