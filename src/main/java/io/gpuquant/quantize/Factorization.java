package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Event;
import io.gpuquant.device.Gemm;
import io.gpuquant.device.Stream;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.kernels.HessianKernels;
import io.gpuquant.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * A Hessian as {@code H = R Rᵀ} with R upper triangular, and the inverses of R's diagonal blocks.
 *
 * <p>R is the Cholesky factor of H with its rows and columns in reverse, so it is computed block by block from the last to the
 * first. GPTQ needs the upper Cholesky factor of H⁻¹, which is R⁻¹; of that only the diagonal blocks are ever used, because
 * the weights at the start of a block follow from R itself: see {@link GptqMethod}. Half a Cholesky factorization, where
 * inverting H takes two and more.
 *
 * <p>Blocks are factored in panels of two, so that the update of what is left of the Hessian, where the work is, sums over
 * 256 columns: 64 operations for each byte of it that is read and written, more than any GPU's memory needs to keep up. While
 * the compute stream updates the rest with one panel, a second stream, which goes first, updates and factors the next (look-ahead), so that the
 * chain of small launches is hidden. All of it is queued without waiting; a bad pivot is found by a status word, read once at
 * the end. Products are in float32 throughout.
 */
final class Factorization {

    /** Columns of a panel: two of the widest blocks. */
    private static final int PANEL = 2 * HessianKernels.BLOCK;

    /** Columns that one product of the trailing update covers; only tiles on and above the diagonal are computed. */
    private static final int STRIP = 512;

    private final Device device;
    private final BlockPlan plan;
    private final List<BlockPlan.Run> panels;

    /** Where panels are factored. */
    private final Stream ahead;

    private final HessianKernels kernels;
    private final HessianKernels kernelsAhead;
    private final ConvertKernels copiesAhead;
    private final DeviceMatrix factor;
    private final List<DeviceMatrix> inverses = new ArrayList<>();
    private final DeviceMatrix solved;
    private final DeviceMatrix status;

    /**
     * Allocates memory for a factorization.
     *
     * @param memory where it is taken from, and which must outlive the factorization
     * @param n rows of the Hessian
     */
    Factorization(Device device, Scratch memory, BlockPlan plan, int n) {
        this.device = device;
        this.plan = plan;
        panels = plan.runs(PANEL);
        ahead = device.priorityStream();
        kernels = new HessianKernels(device.stream());
        kernelsAhead = new HessianKernels(ahead);
        copiesAhead = new ConvertKernels(ahead);
        factor = memory.matrix("Hessian", DType.F32, n, n);
        DeviceBuffer inverseBuffer = memory.buffer(
                "inverses of diagonal blocks",
                plan.blocks().stream().mapToLong(Factorization::inverseBytes).sum());
        long bytes = 0;
        for (BlockPlan.Block block : plan.blocks()) {
            int width = block.width();
            inverses.add(new DeviceMatrix(inverseBuffer, bytes, DType.F32, width, width, width));
            bytes += inverseBytes(block);
        }
        // Where a block is not positive definite it gets no inverse, but the work that is queued behind it still reads
        // one.
        device.stream().clear(inverseBuffer, 0, bytes);
        solved = memory.matrix("panel of the Hessian", DType.F32, n, HessianKernels.BLOCK);
        status = memory.matrix("status of the factorization", DType.I32, 1, 1);
    }

    private static long inverseBytes(BlockPlan.Block block) {
        return DType.F32.bytes((long) block.width() * block.width());
    }

    /**
     * Factors a damped Gram matrix.
     *
     * @param gram F32 [n, n], symmetric
     * @param order I32 [1, n], the order of its rows and columns
     * @return whether all pivots were positive
     */
    boolean factor(DeviceMatrix gram, DeviceMatrix order, float damping) {
        kernels.prepare(gram, order, damping, factor);
        device.stream().clear(status);
        factorPanels();
        return statusIsZero();
    }

    /** Takes a factorization that was computed elsewhere. */
    void set(float[] r, List<float[]> blockInverses) {
        device.stream().copyToDevice(MemorySegment.ofArray(r), factor);
        for (int i = 0; i < inverses.size(); i++) {
            device.stream().copyToDevice(MemorySegment.ofArray(blockInverses.get(i)), inverses.get(i));
        }
    }

    /** The damped Gram matrix that {@link #factor} would start from, row-major; zero below the diagonal. */
    float[] prepared(DeviceMatrix gram, DeviceMatrix order, float damping) {
        kernels.prepare(gram, order, damping, factor);
        float[] values = new float[Math.multiplyExact(factor.rows(), factor.columns())];
        device.stream().copyToHost(factor, MemorySegment.ofArray(values));
        return values;
    }

    /**
     * Queues the factorization, from the last panel to the first. The compute stream's update by one panel and the second
     * stream's work on the next write to different columns, and both read the first panel; the second stream goes on to the
     * panel after that when the update has reached its columns.
     */
    private void factorPanels() {
        Stream main = device.stream();
        ahead.await(main.record());
        factorPanel(panels.getLast());
        for (int i = panels.size() - 1; i > 0; i--) {
            BlockPlan.Run panel = panels.get(i);
            BlockPlan.Run next = panels.get(i - 1);
            Event factored = ahead.record();
            update(ahead, panel, next.start(), next.end());
            factorPanel(next);
            main.await(factored);
            for (int column = 0; column < next.start(); column += STRIP) {
                update(main, panel, column, Math.min(column + STRIP, next.start()));
            }
            ahead.await(main.record());
        }
        main.await(ahead.record());
    }

    /** Factors a panel whose columns are up to date. */
    private void factorPanel(BlockPlan.Run panel) {
        for (int i = panel.endBlock() - 1; i >= panel.firstBlock(); i--) {
            BlockPlan.Block block = plan.blocks().get(i);
            kernelsAhead.factorDiagonal(
                    rows(block.start(), block.width(), block), inverses.get(i), status, block.start());
            if (block.start() > 0) {
                solve(block, inverses.get(i));
            }
            if (i > panel.firstBlock()) {
                subtract(ahead, rows(0, block.start(), block), panel.start(), block.start());
            }
        }
    }

    /** The rows above a block times the transposed inverse of its diagonal block. */
    private void solve(BlockPlan.Block block, DeviceMatrix inverse) {
        DeviceMatrix above = rows(0, block.start(), block);
        DeviceMatrix product =
                new DeviceMatrix(solved.buffer(), 0, DType.F32, block.start(), block.width(), block.width());
        device.blas().gemm(ahead, Gemm.ofTransposedB(above, inverse, product));
        copiesAhead.copy(product, above);
    }

    /** Subtracts a panel's outer product from columns {@code from} to {@code to - 1}, as far down as the diagonal. */
    private void update(Stream stream, BlockPlan.Run panel, int from, int to) {
        subtract(stream, factor.rows(0, to).columns(panel.start(), panel.width()), from, to);
    }

    /** Subtracts {@code factors factorsᵀ} from columns {@code from} to {@code to - 1} of the rows that {@code factors} has. */
    private void subtract(Stream stream, DeviceMatrix factors, int from, int to) {
        device.blas()
                .gemm(
                        stream,
                        Gemm.ofTransposedB(
                                        factors,
                                        factors.rows(from, to - from),
                                        factor.rows(0, factors.rows()).columns(from, to - from))
                                .scaled(-1, 1));
    }

    private boolean statusIsZero() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(ValueLayout.JAVA_INT);
            device.stream().copyToHost(status, value);
            device.stream().synchronize();
            return value.get(ValueLayout.JAVA_INT, 0) == 0;
        }
    }

    /** R. */
    DeviceMatrix factor() {
        return factor;
    }

    /** Rows of R in the columns of a block. */
    DeviceMatrix rows(int first, int count, BlockPlan.Block columns) {
        return factor.rows(first, count).columns(columns.start(), columns.width());
    }

    /** The inverse of a diagonal block of R. */
    DeviceMatrix inverse(int block) {
        return inverses.get(block);
    }
}
