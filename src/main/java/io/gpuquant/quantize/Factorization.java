package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
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
 */
final class Factorization {

    /** Columns that one product of the trailing update covers; only tiles on and above the diagonal are computed. */
    private static final int PANEL = 512;

    private final Device device;
    private final BlockPlan plan;
    private final HessianKernels kernels;
    private final ConvertKernels copies;
    private final DeviceMatrix factor;
    private final List<DeviceMatrix> inverses = new ArrayList<>();
    private final DeviceMatrix panel;
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
        kernels = new HessianKernels(device.stream());
        copies = new ConvertKernels(device.stream());
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
        panel = memory.matrix("panel of the Hessian", DType.F32, n, HessianKernels.BLOCK);
        status = memory.matrix("status of the factorization", DType.I32, 1, 1);
    }

    private static long inverseBytes(BlockPlan.Block block) {
        return DType.F32.bytes((long) block.width() * block.width());
    }

    /**
     * Factors a damped Gram matrix.
     *
     * @param order I32 [1, n], the order of its rows and columns
     * @return whether all pivots were positive
     */
    boolean factor(DeviceMatrix gram, DeviceMatrix order, float damping) {
        kernels.prepare(gram, order, damping, factor);
        device.stream().clear(status);
        for (int i = plan.blocks().size() - 1; i >= 0; i--) {
            BlockPlan.Block block = plan.blocks().get(i);
            kernels.factorDiagonal(rows(block.start(), block.width(), block), inverses.get(i), status, block.start());
            if (block.start() > 0) {
                updatePanel(block, inverses.get(i));
                updateTrailing(block);
            }
        }
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

    /** The rows above a block times the transposed inverse of its diagonal block. */
    private void updatePanel(BlockPlan.Block block, DeviceMatrix inverse) {
        DeviceMatrix above = rows(0, block.start(), block);
        DeviceMatrix product = panel(block);
        device.blas().gemm(device.stream(), Gemm.ofTransposedB(above, inverse, product));
        copies.copy(product, above);
    }

    /** Subtracts the panel's outer product from what is left of the Hessian. */
    private void updateTrailing(BlockPlan.Block block) {
        DeviceMatrix product = panel(block);
        for (int column = 0; column < block.start(); column += PANEL) {
            int width = Math.min(PANEL, block.start() - column);
            int height = column + width;
            device.blas()
                    .gemm(
                            device.stream(),
                            Gemm.ofTransposedB(
                                            product.rows(0, height),
                                            product.rows(column, width),
                                            factor.rows(0, height).columns(column, width))
                                    .scaled(-1, 1));
        }
    }

    private DeviceMatrix panel(BlockPlan.Block block) {
        return new DeviceMatrix(panel.buffer(), 0, DType.F32, block.start(), block.width(), block.width());
    }

    private boolean statusIsZero() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(ValueLayout.JAVA_INT);
            device.stream().copyToHost(status, value);
            device.stream().synchronize();
            return value.get(ValueLayout.JAVA_INT, 0) == 0;
        }
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
