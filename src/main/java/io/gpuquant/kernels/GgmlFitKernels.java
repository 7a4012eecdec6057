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
 * Scales, minima and levels of groups of neighbouring weights, by ggml's searches and with its roundings. {@code ptx/ggml_fit.ptx}
 * and {@code ptx/ggml_codebook.ptx} state the rules. All matrices are dense.
 */
public final class GgmlFitKernels {

    private static final int GROUPS_PER_BLOCK = 128;

    private final Stream stream;
    private final KernelEntry spreads;
    private final KernelEntry errorWeights;
    private final KernelEntry symmetric;
    private final KernelEntry affine;
    private final KernelEntry descent;
    private final KernelEntry codebook;

    public GgmlFitKernels(Stream stream) {
        this(stream, KernelFiles.module("ggml_fit.ptx"), KernelFiles.module("ggml_codebook.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    GgmlFitKernels(Stream stream, KernelModule fit, KernelModule codebookKernels) {
        this.stream = stream;
        spreads = fit.entry("ggml_spreads");
        errorWeights = fit.entry("ggml_error_weights");
        symmetric = fit.entry("ggml_fit_symmetric");
        affine = fit.entry("ggml_fit_affine");
        descent = fit.entry("ggml_fit_descent");
        codebook = codebookKernels.entry("ggml_fit_codebook");
    }

    /**
     * The inverse scales that {@link #affine} tries after the one that maps the range onto all levels.
     *
     * @param largestLevel the largest level
     * @param first the first is {@code (first + largestLevel) / range}
     * @param step what is added to {@code first} from one to the next
     * @param attempts how many there are
     * @param absolute whether absolute errors count, not squared ones
     */
    public record AffineSearch(int largestLevel, float first, float step, int attempts, boolean absolute) {}

    /**
     * {@code Σ x² / divisor} of every row.
     *
     * @param x F32 [count, length], length a multiple of 32
     * @param spreads F32 [1, count]
     */
    public void spreads(DeviceMatrix x, float divisor, DeviceMatrix spreads) {
        TypeCode.require(x, DType.F32, x.rows(), x.columns());
        TypeCode.require(spreads, DType.F32, 1, x.rows());
        TypeCode.requireDense(x);
        if (x.columns() % 32 != 0) {
            throw new IllegalArgumentException(x + " has rows that are not whole multiples of 32");
        }
        if (x.elementCount() == 0) {
            return;
        }
        stream.launch(
                this.spreads,
                LaunchShape.linear(Grids.ceilDiv(x.rows(), Grids.THREADS), Grids.THREADS),
                new KernelArguments()
                        .matrix(x)
                        .matrix(spreads)
                        .int32(x.rows())
                        .int32(x.columns())
                        .float32(divisor));
    }

    /**
     * How much the error of each weight counts: squared, {@code x²} or {@code importance · sqrt(spread + x²)}; not squared,
     * {@code sqrt(spread) + |x|} or the importance itself.
     *
     * @param x F32 [rows, columns]
     * @param spreads F32 [1, n], each for as many elements of x in turn; null for zeros
     * @param importance F32 [1, columns], or null
     * @param weights F32 [rows, columns]
     */
    public void errorWeights(
            DeviceMatrix x,
            @Nullable DeviceMatrix spreads,
            @Nullable DeviceMatrix importance,
            boolean squared,
            DeviceMatrix weights) {
        TypeCode.require(x, DType.F32, x.rows(), x.columns());
        TypeCode.require(weights, DType.F32, x.rows(), x.columns());
        TypeCode.requireDense(x, weights);
        if (importance != null) {
            TypeCode.require(importance, DType.F32, 1, x.columns());
        }
        if (x.elementCount() == 0) {
            return;
        }
        int length = spreads == null ? 1 : Math.toIntExact(x.elementCount() / spreads.elementCount());
        stream.launch(
                errorWeights,
                Grids.elementwise(x.elementCount()),
                new KernelArguments()
                        .matrix(x)
                        .address(spreads == null ? 0 : spreads.address())
                        .address(importance == null ? 0 : importance.address())
                        .matrix(weights)
                        .int32(Math.toIntExact(x.elementCount()))
                        .int32(x.columns())
                        .int32(length)
                        .int32(squared ? 1 : 0));
    }

    /**
     * Signed levels: {@code x ≈ scale · (level - half)}.
     *
     * @param x F32 [groups, size], size 16 or 32
     * @param weights F32 [groups, size]: how much errors count
     * @param levels U8 [groups, size]
     * @param scales F32 [1, groups]
     * @param sums F32 [1, groups], the sums of weights; null if not wanted
     */
    public void symmetric(
            DeviceMatrix x,
            DeviceMatrix weights,
            int half,
            DeviceMatrix levels,
            DeviceMatrix scales,
            @Nullable DeviceMatrix sums) {
        requireGroups(x, levels, scales);
        TypeCode.require(weights, DType.F32, x.rows(), x.columns());
        launch(
                symmetric,
                x.rows(),
                new KernelArguments()
                        .matrix(x)
                        .matrix(weights)
                        .matrix(levels)
                        .matrix(scales)
                        .address(sums == null ? 0 : sums.address())
                        .int32(x.rows())
                        .int32(x.columns())
                        .int32(half));
    }

    /**
     * Levels from zero up: {@code x ≈ scale · level - min}.
     *
     * @param x F32 [groups, size], size 16 or 32
     * @param weights F32 [groups, size]: how much errors count
     * @param levels U8 [groups, size]
     * @param scales F32 [1, groups]
     * @param mins F32 [1, groups], at least zero
     * @param sums F32 [1, groups], the sums of weights
     */
    public void affine(
            DeviceMatrix x,
            DeviceMatrix weights,
            AffineSearch search,
            DeviceMatrix levels,
            DeviceMatrix scales,
            DeviceMatrix mins,
            DeviceMatrix sums) {
        requireGroups(x, levels, scales);
        TypeCode.require(weights, DType.F32, x.rows(), x.columns());
        TypeCode.require(mins, DType.F32, 1, x.rows());
        TypeCode.require(sums, DType.F32, 1, x.rows());
        launch(
                affine,
                x.rows(),
                new KernelArguments()
                        .matrix(x)
                        .matrix(weights)
                        .matrix(levels)
                        .matrix(scales)
                        .matrix(mins)
                        .matrix(sums)
                        .int32(x.rows())
                        .int32(x.columns())
                        .int32(search.largestLevel())
                        .float32(search.first())
                        .float32(search.step())
                        .int32(search.attempts())
                        .int32(search.absolute() ? 1 : 0));
    }

    /**
     * Eight signed levels by coordinate descent, errors weighted by x²: {@code x ≈ scale · (level - 4)}.
     *
     * @param x F32 [groups, 16]
     * @param levels U8 [groups, 16]
     * @param scales F32 [1, groups]
     */
    public void descent(DeviceMatrix x, DeviceMatrix levels, DeviceMatrix scales) {
        requireGroups(x, levels, scales);
        TypeCode.require(x, x.rows(), 16);
        launch(
                descent,
                x.rows(),
                new KernelArguments().matrix(x).matrix(levels).matrix(scales).int32(x.rows()));
    }

    /**
     * Scales for the sixteen values of IQ4_NL.
     *
     * @param x F32 [groups, 32]
     * @param weights F32 [groups, 32]: how much errors count
     * @param scales F32 [1, groups]
     */
    public void codebook(DeviceMatrix x, DeviceMatrix weights, DeviceMatrix scales) {
        TypeCode.require(x, DType.F32, x.rows(), 32);
        TypeCode.require(weights, DType.F32, x.rows(), 32);
        TypeCode.require(scales, DType.F32, 1, x.rows());
        TypeCode.requireDense(x, weights);
        launch(
                codebook,
                x.rows(),
                new KernelArguments().matrix(x).matrix(weights).matrix(scales).int32(x.rows()));
    }

    private static void requireGroups(DeviceMatrix x, DeviceMatrix levels, DeviceMatrix scales) {
        if (x.columns() != 16 && x.columns() != 32) {
            throw new IllegalArgumentException(x + " has groups neither of 16 nor of 32");
        }
        TypeCode.require(x, DType.F32, x.rows(), x.columns());
        TypeCode.require(levels, DType.U8, x.rows(), x.columns());
        TypeCode.require(scales, DType.F32, 1, x.rows());
        TypeCode.requireDense(x, levels);
    }

    private void launch(KernelEntry kernel, int groups, KernelArguments arguments) {
        if (groups > 0) {
            stream.launch(
                    kernel, LaunchShape.linear(Grids.ceilDiv(groups, GROUPS_PER_BLOCK), GROUPS_PER_BLOCK), arguments);
        }
    }
}
