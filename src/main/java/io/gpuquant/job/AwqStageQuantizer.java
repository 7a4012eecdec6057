package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.NormWeights;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageWeights;
import io.gpuquant.quantize.AwqMethod;
import io.gpuquant.quantize.AwqOptions;
import io.gpuquant.quantize.LinearReport;
import io.gpuquant.quantize.QuantizedStage;
import io.gpuquant.quantize.StageTask;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** What AWQ does when all scales of a stage are known: it folds them, cuts ranges, rounds, writes and reports. */
final class AwqStageQuantizer {

    private final Device device;
    private final QuantizerSettings settings;
    private final AwqOptions options;
    private final StageWriter writer;
    private final List<LinearReport> reports = new ArrayList<>();

    AwqStageQuantizer(QuantizerSettings settings, AwqOptions options) {
        this.settings = settings;
        this.options = options;
        device = settings.device();
        writer = StageWriter.of(device, settings.scheme(), settings.output());
    }

    /**
     * The scales that a stage meets.
     *
     * @param in what its input features are divided by; null for nothing
     * @param next what the input features of the stage after it are to be divided by; null for nothing
     */
    @SuppressWarnings("ArrayRecordComponent") // Bulk data that is made once and only read.
    record Scales(float @Nullable [] in, float @Nullable [] next) {}

    /** The weights of a stage in float32, for as long as their buffer is open. */
    DeviceMatrix dense(StageWeights weights) {
        DeviceMatrix stacked = weights.stacked();
        DeviceMatrix dense =
                DeviceMatrix.allocate(device, "weights to quantize", DType.F32, stacked.rows(), stacked.columns());
        new ConvertKernels(device.stream()).convert(stacked, dense);
        return dense;
    }

    /**
     * Quantizes a stage.
     *
     * @param gram of its input as it was before scaling
     */
    void quantize(StageWeights weights, DeviceMatrix gram, Scales scales) {
        quantize(weights, gram, scales, options, null);
    }

    /** Rounds an expert to nearest that too few tokens came to. Its error is that of its weights. */
    void round(StageWeights weights, Scales scales, ExpertTokens tooFew) {
        DeviceMatrix unit = identity(weights.stage().in());
        try (var buffer = unit.buffer()) {
            AwqOptions uncut =
                    new AwqOptions(options.grid(), options.groupSize(), options.ratios(), options.duo(), false);
            quantize(weights, unit, scales, uncut, tooFew);
        }
    }

    private DeviceMatrix identity(int size) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, "Gram matrix", DType.F32, size, size);
        DeviceMatrix ones = DeviceMatrix.allocate(device, "ones", DType.F32, size, 1);
        try (var buffer = ones.buffer()) {
            float[] values = new float[size];
            Arrays.fill(values, 1);
            device.stream().clear(matrix);
            device.stream().copyToDevice(MemorySegment.ofArray(values), ones);
            // The diagonal is a column whose rows lie one row and one element apart.
            new ConvertKernels(device.stream())
                    .copy(ones, new DeviceMatrix(matrix.buffer(), 0, DType.F32, size, 1, size + 1));
        }
        return matrix;
    }

    private void quantize(
            StageWeights weights,
            DeviceMatrix gram,
            Scales scales,
            AwqOptions withOptions,
            @Nullable ExpertTokens tooFew) {
        Stage stage = weights.stage();
        float[] outputScales = outputScales(stage, scales.next());
        AwqMethod method = new AwqMethod(device, withOptions);
        settings.seat().part(weights).ifPresent(part -> {
            AwqMethod.Fold fold = fold(stage, part.stage(), scales.in(), outputScales);
            quantize(part, gram, method, fold, tooFew);
        });
        settings.peers().share(weights);
        foldIntoBias(weights, outputScales);
    }

    /** What happens to those linears of a stage that are quantized here. */
    private static AwqMethod.Fold fold(
            Stage stage, Stage part, float @Nullable [] inputScales, float @Nullable [] outputScales) {
        int firstLinear = stage.linears().indexOf(part.linears().getFirst());
        int firstRow = stage.offset(firstLinear);
        List<Integer> keepRange = keepRange(stage).stream()
                .map(linear -> linear - firstLinear)
                .filter(linear -> linear >= 0 && linear < part.linears().size())
                .toList();
        return new AwqMethod.Fold(
                inputScales,
                outputScales == null ? null : Arrays.copyOfRange(outputScales, firstRow, firstRow + part.out()),
                keepRange);
    }

    private void quantize(
            StageWeights weights,
            DeviceMatrix gram,
            AwqMethod method,
            AwqMethod.Fold fold,
            @Nullable ExpertTokens tooFew) {
        List<LinearSpec> linears = weights.stage().linears();
        DeviceMatrix dense = dense(weights);
        try (var buffer = dense.buffer()) {
            StageTask task = new StageTask(
                    linears.stream().map(LinearSpec::name).toList(),
                    linears.stream().map(LinearSpec::out).toList(),
                    dense,
                    gram);
            try (QuantizedStage quantized = method.quantize(task, fold)) {
                writer.write(quantized, weights);
                List<LinearReport> found = tooFew == null ? quantized.reports() : tooFew.explain(quantized.reports());
                reports.addAll(found);
                found.forEach(settings.listener());
            }
        }
    }

    /**
     * Linears whose ranges are never cut: queries and keys meet in a product, whose error a single output feature says little
     * about. A fused linear that has them is one of these.
     */
    private static List<Integer> keepRange(Stage stage) {
        if (stage.kind() != Stage.Kind.ATTENTION_IN) {
            return List.of();
        }
        return IntStream.range(0, stage.linears().size())
                .filter(i -> stage.offset(i) < stage.out() - stage.handedOn())
                .boxed()
                .toList();
    }

    /** What each output feature of a stage is divided by, because the stage after it is scaled; null for nothing. */
    private static float @Nullable [] outputScales(Stage stage, float @Nullable [] next) {
        if (next == null) {
            return null;
        }
        float[] all = new float[stage.out()];
        Arrays.fill(all, 1);
        System.arraycopy(next, 0, all, all.length - next.length, next.length);
        return all;
    }

    /** Divides the bias of the linear whose rows are divided; in the type that the format has it in. */
    private void foldIntoBias(StageWeights weights, float @Nullable [] outputScales) {
        Stage stage = weights.stage();
        DeviceMatrix biases = weights.bias();
        LinearSpec linear = stage.linears().getLast();
        if (!AwqGroup.isPrevious(stage) || biases == null || !linear.bias()) {
            return;
        }
        int first = stage.out() - linear.out();
        DeviceMatrix bias = biases.columns(first, linear.out());
        float[] scales = new float[linear.out()];
        Arrays.fill(scales, 1);
        if (outputScales != null) {
            System.arraycopy(outputScales, first, scales, 0, scales.length);
        }
        DType dtype = settings.scheme().biasType(settings.types().apply(linear.biasName()));
        NormFold fold = NormFold.ofBias(download(bias), scales, dtype, linear.biasName());
        device.stream().copyToDevice(MemorySegment.ofArray(fold.values()), bias);
        settings.commonOutput().send(linear.biasName(), fold.bytes());
    }

    /**
     * Divides a norm, on the device and in the output.
     *
     * @param scales null for none
     * @return what it was really divided by; null for nothing
     */
    float @Nullable [] foldIntoNorm(NormWeights norm, float @Nullable [] scales) {
        String tensor = norm.norm().tensor();
        NormFold fold = NormFold.of(
                download(norm.stored()),
                scales,
                norm.norm().flavour(),
                settings.types().apply(tensor));
        device.stream().copyToDevice(MemorySegment.ofArray(fold.values()), norm.factor());
        settings.commonOutput().send(tensor, fold.bytes());
        return scales == null ? null : fold.scales();
    }

    private float[] download(DeviceMatrix vector) {
        float[] values = new float[vector.columns()];
        device.stream().copyToHost(vector, MemorySegment.ofArray(values));
        device.stream().synchronize();
        return values;
    }

    /** What was reported since the last call. */
    List<LinearReport> takeReports() {
        List<LinearReport> taken = List.copyOf(reports);
        reports.clear();
        return taken;
    }
}
