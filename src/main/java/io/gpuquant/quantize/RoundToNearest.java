package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.kernels.QuantizeKernels;
import io.gpuquant.kernels.ReductionKernels;
import java.util.ArrayList;
import java.util.List;

/** Every weight to the nearest point of its group's grid: the baseline, which needs no data. */
public final class RoundToNearest implements QuantizationMethod {

    private final Device device;
    private final QuantizationGrid grid;
    private final int groupSize;

    /**
     * @param groupSize input features that share a scale; -1 for all of a linear
     */
    public RoundToNearest(Device device, QuantizationGrid grid, int groupSize) {
        this.device = device;
        this.grid = grid;
        this.groupSize = groupSize;
    }

    @Override
    public boolean needsGram() {
        return false;
    }

    @Override
    public QuantizedStage quantize(StageTask task) {
        int size = task.groupSize(groupSize);
        ColumnOrder order = ColumnOrder.natural(task.in(), size);
        StageBuffers result = StageBuffers.ofBytes(device, task, order, task.in() / size);
        try {
            double[] norms = squaredNorms(task);
            round(task, result, order, size);
            return new QuantizedStage(
                    result.codes(), result.scales(), result.zeros(), order.groupIndex(), reports(task, norms));
        } catch (RuntimeException failure) {
            result.discard();
            throw failure;
        }
    }

    /** Makes the weights their errors. */
    private void round(StageTask task, StageBuffers result, ColumnOrder order, int size) {
        try (Scratch memory = new Scratch(device)) {
            DeviceMatrix groups = memory.integers("groups of input features", order.groups());
            QuantizeKernels kernels = new QuantizeKernels(device.stream());
            kernels.findGrids(task.weights(), size, grid, result.scales(), result.zeros());
            kernels.round(task.weights(), result.codeBytes(), result.scales(), result.zeros(), groups, grid);
        }
    }

    private double[] squaredNorms(StageTask task) {
        ReductionKernels reductions = new ReductionKernels(device);
        double[] norms = new double[task.names().size()];
        for (int i = 0; i < norms.length; i++) {
            DeviceMatrix rows = task.rows(i, task.weights());
            norms[i] = reductions.dot(rows, rows);
        }
        return norms;
    }

    private List<LinearReport> reports(StageTask task, double[] norms) {
        double[] errors = squaredNorms(task);
        List<LinearReport> reports = new ArrayList<>();
        for (int i = 0; i < norms.length; i++) {
            double relative = norms[i] == 0 ? 0 : errors[i] / norms[i];
            reports.add(new LinearReport(task.names().get(i), "rtn", relative, 0, 0, ""));
        }
        return reports;
    }
}
