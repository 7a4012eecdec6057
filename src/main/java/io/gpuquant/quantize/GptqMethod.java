package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.kernels.HessianKernels;
import io.gpuquant.kernels.QuantizeKernels;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * GPTQ (Frantar et al., arXiv 2210.17323): columns are rounded one after another, and what each rounding does to the outputs
 * is made up for, as well as can be, by the columns that are still to come.
 *
 * <p>The result is never NaN: where the damped Hessian is not positive definite in float32, float64 is tried, then more
 * damping, and a linear on which all that fails, or whose inputs are all zero, is rounded to nearest and says so.
 */
public final class GptqMethod implements QuantizationMethod {

    /** Damping is doubled this often before GPTQ is given up. */
    private static final int ATTEMPTS = 5;

    private static final double MOST_DAMPING = 0.99;

    private final Device device;
    private final GptqOptions options;
    private final QuantizeKernels kernels;
    private final ConvertKernels convert;

    public GptqMethod(Device device, GptqOptions options) {
        this.device = device;
        this.options = options;
        kernels = new QuantizeKernels(device.stream());
        convert = new ConvertKernels(device.stream());
    }

    @Override
    public boolean needsGram() {
        return true;
    }

    @Override
    public QuantizedStage quantize(StageTask task) {
        DeviceMatrix gram = task.gram();
        if (gram == null) {
            throw new IllegalArgumentException("GPTQ of " + task.names() + " without a Gram matrix");
        }
        float[] diagonal = GramDiagonal.of(device, gram);
        GramDiagonal.requireFinite(diagonal, task.names().getFirst());
        int dead = 0;
        for (float value : diagonal) {
            dead += value == 0 ? 1 : 0;
        }
        if (dead == diagonal.length) {
            return fallback(task, dead, "all its inputs are zero for the calibration text; rounded to nearest");
        }
        new HessianKernels(device.stream()).symmetrize(gram);
        ColumnOrder order = order(diagonal, task.in());
        BlockPlan plan = BlockPlan.of(task.in(), options.staticGroups() ? 1 : options.groupSize(task.in()));
        DeviceMatrix turns = upload("order of columns", order.order());
        try (var turnBuffer = turns.buffer();
                Factorization factorization = new Factorization(device, plan, task.in())) {
            double mean = mean(diagonal);
            Optional<Double> damping = factor(factorization, plan, gram, turns, mean);
            if (damping.isEmpty()) {
                return fallback(
                        task,
                        dead,
                        "its Hessian is not positive definite, not even with damping " + damping(ATTEMPTS - 1)
                                + "; rounded to nearest");
            }
            return run(task, gram, order, turns, plan, factorization, new Outcome(damping.get(), dead));
        }
    }

    /** What is reported of every linear of a stage. */
    private record Outcome(double damping, int dead) {}

    private ColumnOrder order(float[] diagonal, int in) {
        int groupSize = options.groupSize(in);
        return switch (options.ordering()) {
            case NATURAL -> ColumnOrder.natural(in, groupSize);
            case GROUP_AWARE -> ColumnOrder.groupAware(diagonal, groupSize);
            case ACTIVATION ->
                options.staticGroups()
                        ? ColumnOrder.activationWithStaticGroups(diagonal, groupSize)
                        : ColumnOrder.activation(diagonal, groupSize);
        };
    }

    private static double mean(float[] diagonal) {
        double sum = 0;
        for (float value : diagonal) {
            sum += value;
        }
        return sum / diagonal.length;
    }

    private double damping(int attempt) {
        return Math.min(options.damping() * (1 << attempt), MOST_DAMPING);
    }

    /** Factors with the least damping that works; returns it. */
    private Optional<Double> factor(
            Factorization factorization, BlockPlan plan, DeviceMatrix gram, DeviceMatrix turns, double mean) {
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            float absolute = (float) (damping(attempt) * mean);
            if (factorization.factor(gram, turns, absolute)
                    || factorInDouble(factorization, plan, gram, turns, absolute)) {
                return Optional.of(damping(attempt));
            }
        }
        return Optional.empty();
    }

    private static boolean factorInDouble(
            Factorization factorization, BlockPlan plan, DeviceMatrix gram, DeviceMatrix turns, float damping) {
        int n = gram.rows();
        if (!DoubleFactorization.fits(n)) {
            return false;
        }
        Optional<DoubleFactorization> result =
                DoubleFactorization.of(factorization.prepared(gram, turns, damping), n, plan);
        result.ifPresent(found -> factorization.set(found.factor(), found.inverses()));
        return result.isPresent();
    }

    private QuantizedStage run(
            StageTask task,
            DeviceMatrix gram,
            ColumnOrder order,
            DeviceMatrix turns,
            BlockPlan plan,
            Factorization factorization,
            Outcome outcome) {
        WeightedNorms norms = new WeightedNorms(device);
        double[] before = norms.of(task, task.weights(), gram);
        int groupSize = options.groupSize(task.in());
        StageBuffers result = StageBuffers.allocate(device, task, task.in() / groupSize);
        if (options.staticGroups()) {
            kernels.findGrids(task.weights(), groupSize, options.grid(), result.scales(), result.zeros());
        }
        DeviceMatrix groups = upload("groups of columns", order.groups());
        DeviceMatrix working = DeviceMatrix.allocate(
                device,
                "weights in the order of their turns",
                DType.F32,
                task.weights().rows(),
                task.in());
        DeviceMatrix positions = upload("positions of columns", order.positions());
        try (var groupBuffer = groups.buffer();
                var workingBuffer = working.buffer();
                var positionBuffer = positions.buffer();
                GptqLoop loop = new GptqLoop(
                        device, options.grid(), plan, factorization, result, order, groups, options.staticGroups())) {
            convert.gatherColumns(task.weights(), turns, working);
            loop.run(working);
            convert.gatherColumns(working, positions, task.weights());
        }
        double[] after = norms.of(task, task.weights(), gram);
        List<LinearReport> reports = new ArrayList<>();
        for (int i = 0; i < before.length; i++) {
            reports.add(new LinearReport(
                    task.names().get(i),
                    "gptq",
                    before[i] <= 0 ? 0 : Math.max(0, after[i]) / before[i],
                    outcome.damping(),
                    outcome.dead(),
                    note(outcome)));
        }
        return new QuantizedStage(
                result.codes(), result.scales(), result.zeros(), order.positions(), order.groupIndex(), reports);
    }

    private String note(Outcome outcome) {
        return outcome.damping() > options.damping()
                ? "damping was raised to " + outcome.damping() + ", because the Hessian is nearly singular"
                : "";
    }

    private QuantizedStage fallback(StageTask task, int dead, String note) {
        QuantizedStage rounded = new RoundToNearest(device, options.grid(), options.groupSize()).quantize(task);
        List<LinearReport> reports = rounded.reports().stream()
                .map(report -> new LinearReport(report.name(), report.method(), report.error(), 0, dead, note))
                .toList();
        return new QuantizedStage(
                rounded.codes(), rounded.scales(), rounded.zeros(), rounded.positions(), rounded.groupIndex(), reports);
    }

    private DeviceMatrix upload(String name, int[] values) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, name, DType.I32, 1, values.length);
        device.stream().copyToDevice(MemorySegment.ofArray(values), matrix);
        return matrix;
    }
}
