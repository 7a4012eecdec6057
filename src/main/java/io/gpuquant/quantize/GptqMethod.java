package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.kernels.HessianKernels;
import io.gpuquant.kernels.QuantizeKernels;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

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
    private final CodeLayout layout;
    private final Consumer<Phase> begins;
    private final QuantizeKernels kernels;
    private final ConvertKernels convert;

    /** What a stage goes through. */
    public enum Phase {
        /** The Gram matrix is made whole and the order of the columns found. */
        PREPARATION,
        /** The Hessian is factored, with as much damping as it takes. */
        FACTORIZATION,
        /** The outputs of the weights are summed up, to compare errors with. */
        OUTPUTS,
        /** Columns are rounded in turn. */
        ROUNDING,
        /** Errors of the outputs are summed up. */
        ERRORS
    }

    public GptqMethod(Device device, GptqOptions options, CodeLayout layout) {
        this(device, options, layout, phase -> {});
    }

    /**
     * With someone who wants to know how far it is.
     *
     * @param layout of the codes, as whoever takes them wants them
     * @param begins told of each phase when its work begins to be queued
     */
    public GptqMethod(Device device, GptqOptions options, CodeLayout layout, Consumer<Phase> begins) {
        this.device = device;
        this.options = options;
        this.layout = layout;
        this.begins = begins;
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
        begins.accept(Phase.PREPARATION);
        float[] diagonal = GramDiagonal.of(device, gram);
        GramDiagonal.requireFinite(diagonal, task.names().getFirst());
        new HessianKernels(device.stream()).symmetrize(gram);
        int dead = 0;
        for (float value : diagonal) {
            dead += value == 0 ? 1 : 0;
        }
        if (dead == diagonal.length) {
            return fallback(task, gram, dead, "all its inputs are zero for the calibration text; rounded to nearest");
        }
        int groupSize = task.groupSize(options.groupSize());
        Turns columns = turns(diagonal, groupSize);
        BlockPlan plan = columns.plan();
        try (Scratch memory = new Scratch(device)) {
            DeviceMatrix turns =
                    memory.integers("order of columns", columns.order().order());
            begins.accept(Phase.FACTORIZATION);
            Factorization factorization = new Factorization(device, memory, plan, task.in());
            Optional<Damping> damping = factor(factorization, plan, gram, turns, mean(diagonal));
            if (damping.isEmpty()) {
                return fallback(
                        task,
                        gram,
                        dead,
                        "its Hessian is not positive definite, not even with damping " + damping(ATTEMPTS - 1)
                                + "; rounded to nearest");
            }
            return run(task, gram, columns, turns, factorization, new Outcome(damping.get(), dead));
        }
    }

    /**
     * How columns take turns.
     *
     * @param words which words of a checkpoint they are in, where words are wanted and the order allows it
     */
    private record Turns(ColumnOrder order, BlockPlan plan, Optional<WordOrder> words) {}

    private Turns turns(float[] diagonal, int groupSize) {
        ColumnOrder order = order(diagonal, groupSize);
        BlockPlan plan = BlockPlan.of(diagonal.length, options.staticGroups() ? 1 : groupSize);
        return new Turns(
                order,
                plan,
                layout == CodeLayout.WORDS
                        ? WordOrder.of(order, plan, options.grid().bits())
                        : Optional.empty());
    }

    /**
     * What it took to factor a Hessian.
     *
     * @param fraction of the mean diagonal
     * @param absolute the same times that mean
     * @param inDouble whether float32 failed with it
     */
    private record Damping(double fraction, float absolute, boolean inDouble) {}

    /** What is reported of every linear of a stage. */
    private record Outcome(Damping damping, int dead) {

        /** The errors of the outputs, where the loop knows them: dead columns have another damping. */
        Optional<double[]> losses(Device device, StageTask task, float[] losses) {
            return dead > 0 || damping.inDouble()
                    ? Optional.empty()
                    : new LoopLoss(device).of(task, task.weights(), losses, damping.absolute());
        }
    }

    private ColumnOrder order(float[] diagonal, int groupSize) {
        return switch (options.ordering()) {
            case NATURAL -> ColumnOrder.natural(diagonal.length, groupSize);
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
    private Optional<Damping> factor(
            Factorization factorization, BlockPlan plan, DeviceMatrix gram, DeviceMatrix turns, double mean) {
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            float absolute = (float) (damping(attempt) * mean);
            if (factorization.factor(gram, turns, absolute)) {
                return Optional.of(new Damping(damping(attempt), absolute, false));
            }
            if (factorInDouble(factorization, plan, gram, turns, absolute)) {
                return Optional.of(new Damping(damping(attempt), absolute, true));
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
            Turns columns,
            DeviceMatrix turns,
            Factorization factorization,
            Outcome outcome) {
        int groupSize = task.groupSize(options.groupSize());
        int groups = task.in() / groupSize;
        StageBuffers result = columns.words().isPresent()
                ? StageBuffers.ofWords(device, task, options.grid().bits(), groups)
                : StageBuffers.ofBytes(device, task, columns.order(), groups);
        try {
            begins.accept(Phase.OUTPUTS);
            WeightedNorms norms = new WeightedNorms(device);
            double[] before = norms.of(task, task.weights(), gram);
            begins.accept(Phase.ROUNDING);
            if (options.staticGroups()) {
                kernels.findGrids(task.weights(), groupSize, options.grid(), result.scales(), result.zeros());
            }
            float[] losses = loop(task, columns, turns, factorization, result);
            begins.accept(Phase.ERRORS);
            double[] after = outcome.losses(device, task, losses).orElseGet(() -> norms.of(task, task.weights(), gram));
            return new QuantizedStage(
                    result.codes(),
                    result.scales(),
                    result.zeros(),
                    columns.order().groupIndex(),
                    reports(task, before, after, outcome));
        } catch (RuntimeException failure) {
            result.discard();
            throw failure;
        }
    }

    /**
     * Makes the weights their errors.
     *
     * @return what {@link GptqLoop#run} does
     */
    private float[] loop(
            StageTask task, Turns columns, DeviceMatrix turns, Factorization factorization, StageBuffers result) {
        ColumnOrder order = columns.order();
        try (Scratch memory = new Scratch(device)) {
            DeviceMatrix groups = memory.integers("groups of columns", order.groups());
            DeviceMatrix working = memory.matrix(
                    "weights in the order of their turns",
                    DType.F32,
                    task.weights().rows(),
                    task.in());
            DeviceMatrix positions = memory.integers("positions of columns", order.positions());
            BlockTargets targets = switch (result.codes()) {
                case StageCodes.Bytes codes -> BlockTargets.bytes(codes);
                case StageCodes.Words codes ->
                    BlockTargets.words(
                            memory,
                            codes,
                            columns.words().orElseThrow(),
                            task,
                            options.grid().bits());
            };
            GptqLoop loop = new GptqLoop(
                    device,
                    memory,
                    options.grid(),
                    columns.plan(),
                    factorization,
                    result,
                    targets,
                    order,
                    groups,
                    options.staticGroups());
            convert.gatherColumns(task.weights(), turns, working);
            float[] losses = loop.run(working);
            convert.gatherColumns(working, positions, task.weights());
            return losses;
        }
    }

    private List<LinearReport> reports(StageTask task, double[] before, double[] after, Outcome outcome) {
        List<LinearReport> reports = new ArrayList<>();
        for (int i = 0; i < before.length; i++) {
            reports.add(new LinearReport(
                    task.names().get(i),
                    "gptq",
                    before[i] <= 0 ? 0 : Math.max(0, after[i]) / before[i],
                    outcome.damping().fraction(),
                    outcome.dead(),
                    note(outcome.damping())));
        }
        return reports;
    }

    private String note(Damping damping) {
        List<String> notes = new ArrayList<>();
        if (damping.fraction() > options.damping()) {
            notes.add("damping was raised to " + damping.fraction() + ", because the Hessian is nearly singular");
        }
        if (damping.inDouble()) {
            notes.add("the Hessian was factored in float64, because float32 cannot tell it from a singular one");
        }
        return String.join("; ", notes);
    }

    /** Rounds to nearest. The errors are those of outputs even so, wherever the Gram matrix is good for that. */
    private QuantizedStage fallback(StageTask task, DeviceMatrix gram, int dead, String note) {
        WeightedNorms norms = new WeightedNorms(device);
        double[] before = norms.of(task, task.weights(), gram);
        QuantizedStage rounded = new RoundToNearest(device, options.grid(), options.groupSize()).quantize(task);
        try {
            double[] after = norms.of(task, task.weights(), gram);
            List<LinearReport> reports = new ArrayList<>();
            for (int i = 0; i < before.length; i++) {
                LinearReport plain = rounded.reports().get(i);
                double relative = after[i] / before[i];
                boolean meaningful = before[i] > 0 && relative >= 0 && Double.isFinite(relative);
                reports.add(new LinearReport(
                        plain.name(), plain.method(), meaningful ? relative : plain.error(), 0, dead, note));
            }
            return new QuantizedStage(
                    rounded.codes(), rounded.scales(), rounded.zeros(), rounded.groupIndex(), reports);
        } catch (RuntimeException failure) {
            rounded.close();
            throw failure;
        }
    }
}
