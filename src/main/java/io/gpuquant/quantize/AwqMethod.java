package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.AwqKernels;
import io.gpuquant.kernels.AwqKernels.Codes;
import io.gpuquant.kernels.AwqKernels.Cut;
import io.gpuquant.kernels.AwqKernels.Rounding;
import io.gpuquant.kernels.ScaleKernels;
import io.gpuquant.kernels.ScaleKernels.Factors;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * AWQ's last step for linears that share their input, once all scales are known: weights take over the scales of their
 * input, hand on those of their output, have their ranges cut, and are rounded.
 *
 * <p>Weights beyond a cut range are not moved to its end before they are rounded; they get the code at the end of the grid,
 * which is what is nearest to them.
 */
public final class AwqMethod {

    private final Device device;
    private final AwqOptions options;
    private final AwqKernels kernels;
    private final ScaleKernels scaling;

    public AwqMethod(Device device, AwqOptions options) {
        this.device = device;
        this.options = options;
        kernels = new AwqKernels(device.stream());
        scaling = new ScaleKernels(device.stream());
    }

    /**
     * What happens to the weights before they are rounded.
     *
     * @param inputScales what each column is multiplied by, because its input is divided; null for nothing
     * @param outputScales what each row is divided by, because its consumers are multiplied; null for nothing
     * @param keepRange linears, by place, whose ranges are never cut
     */
    @SuppressWarnings("ArrayRecordComponent") // Bulk data that is made once and only read.
    public record Fold(float @Nullable [] inputScales, float @Nullable [] outputScales, List<Integer> keepRange) {

        public Fold {
            keepRange = List.copyOf(keepRange);
        }
    }

    /**
     * Quantizes; what is returned is the caller's to close.
     *
     * @param task with the symmetric Gram matrix of the input as it was before scaling, which becomes that of the scaled one
     */
    public QuantizedStage quantize(StageTask task, Fold fold) {
        DeviceMatrix gram = task.gram();
        if (gram == null) {
            throw new IllegalArgumentException("AWQ of " + task.names() + " without a Gram matrix");
        }
        WeightedNorms norms = new WeightedNorms(device);
        double[] before = norms.of(task, task.weights(), gram);
        int dead = countZeros(gram);
        Scales in = new Scales(device, "scales of inputs", task.in(), fold.inputScales());
        Scales out = new Scales(device, "scales of outputs", task.weights().rows(), fold.outputScales());
        try (in;
                out) {
            scaling.scale(task.weights(), in.times(), out.over(), task.weights());
            divide(gram, in);
            int groupSize = options.groupSize(task.in());
            ColumnOrder order = ColumnOrder.natural(task.in(), groupSize);
            StageBuffers result = StageBuffers.ofBytes(device, task, order, task.in() / groupSize);
            DeviceMatrix errors = DeviceMatrix.allocate(
                    device, "rounding errors", DType.F32, task.weights().rows(), task.in());
            try (var errorBuffer = errors.buffer()) {
                round(task, gram, fold, groupSize, result, errors);
                // As the original linear would show them.
                scaling.scale(errors, Factors.ONES, out.times(), errors);
                double[] after = norms.of(task, errors, gram);
                return new QuantizedStage(
                        result.codes(),
                        result.scales(),
                        result.zeros(),
                        order.groupIndex(),
                        reports(task, before, after, dead));
            }
        }
    }

    /** G becomes what it is for an input divided by the scales. */
    private void divide(DeviceMatrix gram, Scales scales) {
        scaling.scale(gram, scales.over(), scales.over(), gram);
    }

    private void round(
            StageTask task, DeviceMatrix gram, Fold fold, int groupSize, StageBuffers result, DeviceMatrix errors) {
        int rows = task.weights().rows();
        DeviceMatrix cuts = DeviceMatrix.allocate(device, "cuts", DType.U8, rows, task.in() / groupSize);
        try (var buffer = cuts.buffer()) {
            device.stream().clear(cuts);
            CutSearch search = new CutSearch(device, options);
            for (int i = 0; i < task.names().size(); i++) {
                if (options.clip() && !fold.keepRange().contains(i)) {
                    search.search(task.rows(i, task.weights()), gram, task.rows(i, cuts));
                }
            }
            kernels.roundingErrors(
                    new Rounding(task.weights(), null, groupSize, options.grid(), new Cut(cuts, 0)),
                    errors,
                    new Codes(result.codeBytes(), result.scales(), result.zeros()));
        }
    }

    private int countZeros(DeviceMatrix gram) {
        int zeros = 0;
        for (float value : GramDiagonal.of(device, gram)) {
            zeros += value == 0 ? 1 : 0;
        }
        return zeros;
    }

    private static List<LinearReport> reports(StageTask task, double[] before, double[] after, int dead) {
        List<LinearReport> reports = new ArrayList<>();
        for (int i = 0; i < before.length; i++) {
            double error = before[i] <= 0 ? 0 : Math.max(0, after[i]) / before[i];
            reports.add(new LinearReport(task.names().get(i), "awq", error, 0, dead, ""));
        }
        return reports;
    }

    /** Scales on the device: ones where there are none, so that what is held does not depend on what a search has found. */
    private static final class Scales implements AutoCloseable {

        private final DeviceMatrix values;

        Scales(Device device, String name, int count, float @Nullable [] scales) {
            float[] factors = scales;
            if (factors == null) {
                factors = new float[count];
                Arrays.fill(factors, 1);
            }
            values = DeviceMatrix.allocate(device, name, DType.F32, 1, count);
            device.stream().copyToDevice(MemorySegment.ofArray(factors), values);
        }

        Factors times() {
            return new Factors(values, false);
        }

        Factors over() {
            return new Factors(values, true);
        }

        @Override
        public void close() {
            values.buffer().close();
        }
    }
}
