package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.kernels.QuantizeKernels;
import io.gpuquant.kernels.ReductionKernels;
import io.gpuquant.tensor.DType;
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
        int size = groupSize == -1 ? task.in() : groupSize;
        ColumnOrder order = ColumnOrder.natural(task.in(), size);
        double[] norms = squaredNorms(task);
        StageBuffers buffers = StageBuffers.allocate(device, task, task.in() / size);
        DeviceMatrix groups = DeviceMatrix.allocate(device, "groups of input features", DType.I32, 1, task.in());
        try (var groupBuffer = groups.buffer()) {
            device.stream().copyToDevice(java.lang.foreign.MemorySegment.ofArray(order.groups()), groups);
            QuantizeKernels kernels = new QuantizeKernels(device.stream());
            kernels.findGrids(task.weights(), size, grid, buffers.scales(), buffers.zeros());
            kernels.round(task.weights(), buffers.codes(), buffers.scales(), buffers.zeros(), groups, grid);
        }
        return new QuantizedStage(
                buffers.codes(),
                buffers.scales(),
                buffers.zeros(),
                order.positions(),
                order.groupIndex(),
                reports(task, norms));
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
        // The weights have become their errors by now.
        double[] errors = squaredNorms(task);
        List<LinearReport> reports = new ArrayList<>();
        for (int i = 0; i < norms.length; i++) {
            double relative = norms[i] == 0 ? 0 : errors[i] / norms[i];
            reports.add(new LinearReport(task.names().get(i), "rtn", relative, 0, 0, ""));
        }
        return reports;
    }
}
