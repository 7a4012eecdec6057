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
    private final StageWriter writer;
    private final Predicate<LinearSpec> isQuantized;
    private final Consumer<LinearReport> listener;
    private final Peers peers;
    private final List<LinearReport> reports = new ArrayList<>();
    private @Nullable DeviceMatrix gram;

    /**
     * @param isQuantized whether a linear is to be quantized at all; the same for all linears of a stage
     */
    StageQuantizer(
            Device device,
            QuantizationMethod method,
            StageWriter writer,
            Predicate<LinearSpec> isQuantized,
            Consumer<LinearReport> listener,
            Peers peers) {
        this.device = device;
        this.method = method;
        this.writer = writer;
        this.isQuantized = isQuantized;
        this.listener = listener;
        this.peers = peers;
    }

    @Override
    public void input(Stage stage, DeviceMatrix x) {
        if (!method.needsGram() || !isQuantized(stage)) {
            return;
        }
        DeviceMatrix sum = gram;
        if (sum == null) {
            sum = DeviceMatrix.allocate(device, "Gram matrix", DType.F32, stage.in(), stage.in());
            device.stream().clear(sum);
            gram = sum;
        }
        device.blas().addGram(device.stream(), x, sum);
    }

    @Override
    public void inputsComplete(StageWeights weights) {
        if (!isQuantized(weights.stage())) {
            return;
        }
        if (gram != null) {
            peers.sum(gram);
        }
        peers.part(weights).ifPresent(this::quantize);
        releaseGram();
        peers.share(weights);
    }

    private void quantize(StageWeights weights) {
        Stage stage = weights.stage();
        DeviceMatrix dense = DeviceMatrix.allocate(device, "weights to quantize", DType.F32, stage.out(), stage.in());
        try (var buffer = dense.buffer()) {
            new ConvertKernels(device.stream()).convert(weights.stacked(), dense);
            StageTask task = new StageTask(
                    stage.linears().stream().map(LinearSpec::name).toList(),
                    stage.linears().stream().map(LinearSpec::out).toList(),
                    dense,
                    gram);
            try (QuantizedStage quantized = method.quantize(task)) {
                releaseGram();
                writer.write(quantized, weights);
                reports.addAll(quantized.reports());
                quantized.reports().forEach(listener);
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
