package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageObserver;
import io.gpuquant.model.StageWeights;
import io.gpuquant.quantize.LinearReport;
import io.gpuquant.quantize.QuantizationMethod;
import io.gpuquant.quantize.QuantizedStage;
import io.gpuquant.quantize.StageTask;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** Watches the inputs of each stage of a layer, quantizes its linears when it has seen all, and writes them. */
final class StageQuantizer implements StageObserver, AutoCloseable {

    private final Device device;
    private final QuantizationMethod method;
    private final QuantizationMethod withoutData;
    private final StageWriter writer;
    private final Predicate<LinearSpec> isQuantized;
    private final Consumer<LinearReport> listener;
    private final Peers peers;
    private final List<LinearReport> reports = new ArrayList<>();
    private @Nullable DeviceMatrix gram;
    private long tokens;
    private long allTokens;

    /**
     * @param withoutData for experts that too few tokens come to
     * @param isQuantized whether a linear is to be quantized at all; the same for all linears of a stage
     */
    StageQuantizer(
            Device device,
            QuantizationMethod method,
            QuantizationMethod withoutData,
            StageWriter writer,
            Predicate<LinearSpec> isQuantized,
            Consumer<LinearReport> listener,
            Peers peers) {
        this.device = device;
        this.method = method;
        this.withoutData = withoutData;
        this.writer = writer;
        this.isQuantized = isQuantized;
        this.listener = listener;
        this.peers = peers;
    }

    @Override
    public void input(Stage stage, DeviceMatrix x) {
        tokens += x.rows();
        if (!method.needsGram() || !isQuantized(stage)) {
            return;
        }
        device.blas().addGram(device.stream(), x, gram(stage));
    }

    /** The sum so far; zeros where no token has come. */
    private DeviceMatrix gram(Stage stage) {
        DeviceMatrix sum = gram;
        if (sum == null) {
            sum = DeviceMatrix.allocate(device, "Gram matrix", DType.F32, stage.in(), stage.in());
            device.stream().clear(sum);
            gram = sum;
        }
        return sum;
    }

    @Override
    public void inputsComplete(StageWeights weights) {
        Stage stage = weights.stage();
        if (stage.expert().isEmpty()) {
            allTokens = tokens;
        }
        long seen = tokens;
        tokens = 0;
        if (!isQuantized(stage)) {
            return;
        }
        ExpertTokens tooFew = method.needsGram() ? gather(stage, seen) : null;
        peers.seat().part(weights).ifPresent(part -> quantize(part, tooFew));
        releaseGram();
        // Without data no token goes through the layer, and nobody uses what the others made.
        if (method.needsGram()) {
            peers.share(weights);
        }
    }

    /**
     * Makes the Gram matrix that of the tokens of all devices.
     *
     * @param seen tokens that came to the stage here
     * @return how many came to the stage, where they are too few to calibrate with
     */
    private @Nullable ExpertTokens gather(Stage stage, long seen) {
        double[] counts = peers.sum(seen, allTokens);
        ExpertTokens everywhere = new ExpertTokens(stage, (long) counts[0], (long) counts[1]);
        if (everywhere.areTooFew()) {
            releaseGram();
            return everywhere;
        }
        peers.sum(gram(stage));
        return null;
    }

    /**
     * @param tooFew the tokens there were, where they are too few to calibrate with
     */
    private void quantize(StageWeights weights, @Nullable ExpertTokens tooFew) {
        Stage stage = weights.stage();
        DeviceMatrix dense = DeviceMatrix.allocate(device, "weights to quantize", DType.F32, stage.out(), stage.in());
        try (var buffer = dense.buffer()) {
            new ConvertKernels(device.stream()).convert(weights.stacked(), dense);
            StageTask task = new StageTask(
                    stage.linears().stream().map(LinearSpec::name).toList(),
                    stage.linears().stream().map(LinearSpec::out).toList(),
                    dense,
                    tooFew == null ? gram : null);
            try (QuantizedStage quantized = (tooFew == null ? method : withoutData).quantize(task)) {
                releaseGram();
                writer.write(quantized, weights);
                List<LinearReport> found = tooFew == null ? quantized.reports() : tooFew.explain(quantized.reports());
                reports.addAll(found);
                found.forEach(listener);
            }
        }
    }

    private boolean isQuantized(Stage stage) {
        return isQuantized.test(stage.linears().getFirst());
    }

    /** What was reported since the last call. */
    List<LinearReport> takeReports() {
        List<LinearReport> taken = List.copyOf(reports);
        reports.clear();
        return taken;
    }

    private void releaseGram() {
        DeviceMatrix sum = gram;
        if (sum != null) {
            sum.buffer().close();
            gram = null;
        }
    }

    @Override
    public void close() {
        releaseGram();
    }
}
