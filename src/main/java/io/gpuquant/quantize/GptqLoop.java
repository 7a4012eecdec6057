package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.kernels.ActivationKernels;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.kernels.GptqBlock;
import io.gpuquant.kernels.GptqShape;
import io.gpuquant.kernels.HessianKernels;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.kernels.QuantizeKernels;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * GPTQ over all blocks of columns, from left to right, without the inverse of the Hessian.
 *
 * <p>With {@code H = R Rᵀ}, R upper triangular, GPTQ's factor of the inverse is {@code U = R⁻¹}. The weights that its lazy
 * updates have reached when the turn comes to a block G are {@code W_G + (E R)_G R_GG⁻¹}, where E holds the errors {@code W -
 * Ŵ} of the columns before G and zeros elsewhere: from {@code (W - W') = -E R U} restricted to G. So a block needs one product
 * with the finished columns and one with a small inverse, and inside it the ordinary loop runs with {@code U_GG = R_GG⁻¹}.
 *
 * <p>A product for a single block has so few tiles that most of a GPU would idle. So blocks are taken in runs of up to 512
 * columns: one product brings the errors of everything before a run to all of its columns, and inside the run each block,
 * when it is done, adds its own to the blocks after it. The cuts do not depend on how many rows there are, so a linear has the
 * same codes alone and beside others that share its input.
 */
final class GptqLoop {

    /** Columns that one product with all finished columns covers. */
    private static final int RUN = 512;

    private final Device device;
    private final QuantizationGrid grid;
    private final BlockPlan plan;
    private final Factorization factorization;
    private final StageBuffers result;
    private final BlockTargets targets;
    private final ColumnOrder order;
    private final DeviceMatrix groups;
    private final boolean scalesAreGiven;
    private final QuantizeKernels kernels;
    private final ConvertKernels copies;
    private final DeviceBuffer stateBuffer;
    private final List<BlockPlan.Run> runs;
    private final DeviceBuffer productBuffer;
    private final DeviceMatrix loss;

    /**
     * @param memory where working memory is taken from, and which must outlive the loop
     * @param targets where the codes of the blocks go
     * @param groups I32 [1, in], {@link ColumnOrder#groups} on the device
     * @param scalesAreGiven whether {@code result} holds the scales of all groups already
     */
    GptqLoop(
            Device device,
            Scratch memory,
            QuantizationGrid grid,
            BlockPlan plan,
            Factorization factorization,
            StageBuffers result,
            BlockTargets targets,
            ColumnOrder order,
            DeviceMatrix groups,
            boolean scalesAreGiven) {
        this.device = device;
        this.grid = grid;
        this.plan = plan;
        this.factorization = factorization;
        this.result = result;
        this.targets = targets;
        this.order = order;
        this.groups = groups;
        this.scalesAreGiven = scalesAreGiven;
        kernels = new QuantizeKernels(device.stream());
        copies = new ConvertKernels(device.stream());
        int rows = result.scales().columns();
        long bytes = DType.F32.bytes((long) rows * HessianKernels.BLOCK);
        stateBuffer = memory.buffer("weights of a block", bytes);
        runs = plan.runs(RUN);
        int widest = runs.stream().mapToInt(BlockPlan.Run::width).max().orElse(0);
        productBuffer = memory.buffer("errors times factor", DType.F32.bytes((long) rows * widest));
        loss = memory.matrix("loss of each row", DType.F32, 1, rows);
        device.stream().clear(loss);
    }

    /**
     * Quantizes all columns, and waits for the device.
     *
     * @param weights F32 [rows, in], dense, columns in the order of their turns; overwritten by the errors
     * @return of each row the sum of the squares of what was fed forward
     */
    float[] run(DeviceMatrix weights) {
        queue(weights);
        float[] losses = new float[weights.rows()];
        device.stream().copyToHost(loss, MemorySegment.ofArray(losses));
        device.stream().synchronize();
        return losses;
    }

    private void queue(DeviceMatrix weights) {
        for (BlockPlan.Run run : runs) {
            DeviceMatrix product = view(productBuffer, weights.rows(), run.width());
            if (run.start() > 0) {
                multiply(Gemm.of(
                        weights.columns(0, run.start()), factor(0, run.start(), run.start(), run.end()), product));
            }
            for (int i = run.firstBlock(); i < run.endBlock(); i++) {
                BlockPlan.Block block = plan.blocks().get(i);
                boolean groupStarts = block.start() % plan.groupSize() == 0;
                if (plan.hasWideGroups() && !scalesAreGiven && groupStarts) {
                    findWideGrid(weights, i);
                }
                quantize(weights, i, product.columns(block.start() - run.start(), block.width()));
                if (block.end() < run.end()) {
                    addErrors(weights, block, run, product);
                }
            }
        }
    }

    /**
     * Quantizes a block.
     *
     * @param product the errors of all columns before it times their rows of the factor; of no account for the first block
     */
    private void quantize(DeviceMatrix weights, int index, DeviceMatrix product) {
        BlockPlan.Block block = plan.blocks().get(index);
        DeviceMatrix columns = weights.columns(block.start(), block.width());
        DeviceMatrix state = view(stateBuffer, columns.rows(), block.width());
        copies.copy(columns, state);
        if (block.start() > 0) {
            multiply(Gemm.of(product, factorization.inverse(index), state).scaled(1, 1));
        }
        GptqBlock turn = new GptqBlock(
                columns,
                state,
                factorization.inverse(index),
                targets.of(block),
                result.scales(),
                result.zeros(),
                groups.columns(block.start(), block.width()),
                scalesAreGiven || plan.hasWideGroups() ? 0 : plan.groupSize(),
                loss);
        kernels.gptqBlock(turn, grid, GptqShape.of(turn, grid, device.info().multiprocessors()));
    }

    /** Adds what the errors of a block contribute to the rest of its run. */
    private void addErrors(DeviceMatrix weights, BlockPlan.Block block, BlockPlan.Run run, DeviceMatrix product) {
        DeviceMatrix rest = product.columns(block.end() - run.start(), run.end() - block.end());
        multiply(Gemm.of(
                        weights.columns(block.start(), block.width()),
                        factor(block.start(), block.width(), block.end(), run.end()),
                        rest)
                .scaled(1, block.start() > 0 ? 1 : 0));
    }

    /** Rows of R from {@code first} on in columns {@code from} to {@code to - 1}. */
    private DeviceMatrix factor(int first, int count, int from, int to) {
        return factorization.factor().rows(first, count).columns(from, to - from);
    }

    /**
     * Finds the scales of a group that is wider than a block, from its weights at the moment its first column's turn comes.
     */
    private void findWideGrid(DeviceMatrix weights, int firstBlock) {
        int start = plan.blocks().get(firstBlock).start();
        DeviceMatrix group = weights.columns(start, plan.groupSize());
        int slot = order.groups()[start];
        DeviceMatrix scales = result.scales().rows(slot, 1);
        DeviceMatrix zeros = result.zeros().rows(slot, 1);
        if (start == 0) {
            kernels.findGrids(group, plan.groupSize(), grid, scales, zeros);
            return;
        }
        try (Scratch memory = new Scratch(device)) {
            DeviceMatrix state = memory.matrix("weights of a group", DType.F32, group.rows(), group.columns());
            DeviceMatrix shift = memory.matrix("shift of a group", DType.F32, group.rows(), group.columns());
            solveShift(weights, firstBlock, shift);
            copies.copy(group, state);
            new ActivationKernels(device.stream()).residualAdd(state, shift);
            kernels.findGrids(state, plan.groupSize(), grid, scales, zeros);
        }
    }

    /** Solves {@code X R_GG = (E R)_G} for the shift X of a whole group G of several blocks, block by block. */
    private void solveShift(DeviceMatrix weights, int firstBlock, DeviceMatrix shift) {
        int start = plan.blocks().get(firstBlock).start();
        DeviceMatrix errors = weights.columns(0, start);
        for (int i = firstBlock; i < plan.blocks().size(); i++) {
            BlockPlan.Block block = plan.blocks().get(i);
            int within = block.start() - start;
            if (within >= plan.groupSize()) {
                return;
            }
            DeviceMatrix rightSide = view(stateBuffer, weights.rows(), block.width());
            multiply(Gemm.of(errors, factorization.rows(0, start, block), rightSide));
            if (within > 0) {
                multiply(Gemm.of(shift.columns(0, within), factorization.rows(start, within, block), rightSide)
                        .scaled(-1, 1));
            }
            multiply(Gemm.of(rightSide, factorization.inverse(i), shift.columns(within, block.width())));
        }
    }

    private void multiply(Gemm gemm) {
        device.blas().gemm(device.stream(), gemm);
    }

    private static DeviceMatrix view(DeviceBuffer buffer, int rows, int columns) {
        return DeviceMatrix.of(buffer, DType.F32, rows, columns);
    }
}
