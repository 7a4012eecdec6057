package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Trace;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LayerPass;
import io.gpuquant.model.LayerWeights;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageWeights;
import io.gpuquant.quantize.AwqMethod;
import io.gpuquant.quantize.AwqOptions;
import io.gpuquant.quantize.GramLoss;
import io.gpuquant.quantize.LinearReport;
import io.gpuquant.quantize.QuantizedStage;
import io.gpuquant.quantize.ScaleReport;
import io.gpuquant.quantize.ScaleSearch;
import io.gpuquant.quantize.StageTask;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * AWQ of a layer: one pass with the original weights collects what the searches need; scales are searched for all groups;
 * then they are folded, ranges are cut, weights are rounded and written; a second pass gives the next layer its input.
 */
final class AwqLayerQuantizer implements LayerQuantizer {

    /** Queries and keys meet in a product, whose error a single output feature says little about. */
    private static final List<Integer> QUERY_AND_KEY = List.of(0, 1);

    private final Device device;
    private final QuantizerSettings settings;
    private final AwqOptions options;
    private final QuantizationJobOptions.Awq method;
    private final StageWriter writer;
    private final ScaleSearch search;
    private final List<LinearReport> linearReports = new ArrayList<>();
    private final List<ScaleReport> scaleReports = new ArrayList<>();

    AwqLayerQuantizer(QuantizerSettings settings, AwqOptions options, QuantizationJobOptions.Awq method) {
        this.settings = settings;
        this.options = options;
        this.method = method;
        device = settings.device();
        writer = StageWriter.of(device, settings.scheme(), settings.output());
        search = new ScaleSearch(device, options);
    }

    @Override
    public void quantize(DecoderLayer layer, @Nullable CalibrationPass calibration) {
        if (calibration == null) {
            throw new IllegalArgumentException("AWQ without calibration data");
        }
        try (LayerWeights weights = settings.loader().apply(layer);
                LayerObservation seen = new LayerObservation(
                        device, calibration.hidden().chunking(), this::isQuantized, this::isJudgedByModule)) {
            observe(layer, weights, calibration, seen);
            Map<Stage.Kind, float[]> scales = search(layer, weights, seen, calibration.layers());
            foldIntoNorm(layer.attentionNorm(), weights.attentionNorm(), Stage.Kind.ATTENTION_IN, scales);
            foldIntoNorm(layer.mlpNorm(), weights.mlpNorm(), Stage.Kind.MLP_IN, scales);
            for (Stage stage : layer.stages()) {
                if (isQuantized(stage)) {
                    quantize(weights.stage(stage.kind()), seen.gram(stage.kind()), scales);
                }
            }
            if (method.propagate()) {
                try (Trace.Span span = device.trace().begin("pass quantized layer")) {
                    calibration.layers().run(weights, calibration.hidden());
                }
            }
        }
    }

    private void observe(DecoderLayer layer, LayerWeights weights, CalibrationPass calibration, LayerObservation seen) {
        LayerPass.Residual residual = method.propagate() ? LayerPass.Residual.KEPT : LayerPass.Residual.UPDATED;
        try (Trace.Span span = device.trace().begin("observe layer")) {
            calibration.layers().observe(weights, calibration.hidden(), seen, residual);
            seen.complete(layer);
        }
    }

    private boolean isQuantized(Stage stage) {
        return settings.isQuantized().test(stage.linears().getFirst());
    }

    /** What a module adds to the residual stream when one linear is rounded is that linear's output, or a product of it. */
    private boolean isJudgedByModule(Stage stage) {
        return method.objective() == QuantizationJobOptions.Objective.MODULE
                && (stage.kind() == Stage.Kind.ATTENTION_IN || stage.kind() == Stage.Kind.MLP_IN);
    }

    /** The best scales of each group whose input is better scaled than not. */
    private Map<Stage.Kind, float[]> search(
            DecoderLayer layer, LayerWeights weights, LayerObservation seen, LayerPass pass) {
        Map<Stage.Kind, float[]> scales = new EnumMap<>(Stage.Kind.class);
        for (Stage.Kind kind : Stage.Kind.values()) {
            Optional<AwqGroup> group = AwqGroup.of(layer, kind, this::isQuantized);
            if (group.isPresent()) {
                ScaleSearch.Found found;
                try (Trace.Span span = device.trace().begin("search scales of " + kind)) {
                    found = search(kind, weights, seen, pass);
                }
                found.scales().ifPresent(values -> scales.put(kind, values));
                scaleReports.add(new ScaleReport(
                        group.get().previous(),
                        group.get().linears(),
                        found.ratio(),
                        found.lossWithout(),
                        found.loss()));
            }
        }
        return scales;
    }

    private ScaleSearch.Found search(Stage.Kind kind, LayerWeights weights, LayerObservation seen, LayerPass pass) {
        StageWeights in = weights.stage(kind);
        DeviceMatrix dense = dense(in);
        try (var buffer = dense.buffer()) {
            if (isJudgedByModule(in.stage())) {
                StageWeights out = weights.stage(Stage.Kind.values()[kind.ordinal() + 1]);
                try (ModuleLoss loss = new ModuleLoss(device, pass.module(kind), seen.kept(kind), in, out)) {
                    return search.search(dense, seen.mean(kind), loss);
                }
            }
            try (GramLoss loss = new GramLoss(device, dense.rows(), seen.gram(kind))) {
                return search.search(dense, seen.mean(kind), loss);
            }
        }
    }

    private DeviceMatrix dense(StageWeights weights) {
        DeviceMatrix stacked = weights.stacked();
        DeviceMatrix dense =
                DeviceMatrix.allocate(device, "weights to quantize", DType.F32, stacked.rows(), stacked.columns());
        new ConvertKernels(device.stream()).convert(stacked, dense);
        return dense;
    }

    /** Divides a norm, on the device and in the output; the scales become what it was really divided by. */
    private void foldIntoNorm(String tensor, DeviceMatrix norm, Stage.Kind consumer, Map<Stage.Kind, float[]> scales) {
        NormFold fold = NormFold.of(
                download(norm), scales.get(consumer), settings.types().apply(tensor));
        device.stream().copyToDevice(MemorySegment.ofArray(fold.values()), norm);
        scales.computeIfPresent(consumer, (kind, old) -> fold.scales());
        settings.output().send(tensor, fold.bytes());
    }

    private void quantize(StageWeights weights, DeviceMatrix gram, Map<Stage.Kind, float[]> scales) {
        Stage stage = weights.stage();
        float[] outputScales = outputScales(stage, scales);
        DeviceMatrix dense = dense(weights);
        try (var buffer = dense.buffer()) {
            StageTask task = new StageTask(
                    stage.linears().stream().map(LinearSpec::name).toList(),
                    stage.linears().stream().map(LinearSpec::out).toList(),
                    dense,
                    gram);
            List<Integer> keepRange = stage.kind() == Stage.Kind.ATTENTION_IN ? QUERY_AND_KEY : List.of();
            AwqMethod.Fold fold = new AwqMethod.Fold(scales.get(stage.kind()), outputScales, keepRange);
            try (QuantizedStage quantized = new AwqMethod(device, options).quantize(task, fold)) {
                writer.write(quantized, weights);
                linearReports.addAll(quantized.reports());
                quantized.reports().forEach(settings.listener());
            }
        }
        foldIntoBias(weights, outputScales);
    }

    /** What each output feature of a stage is divided by, because the stage after it is scaled; null for nothing. */
    private static float @Nullable [] outputScales(Stage stage, Map<Stage.Kind, float[]> scales) {
        float[] next = switch (stage.kind()) {
            case ATTENTION_IN -> scales.get(Stage.Kind.ATTENTION_OUT);
            case MLP_IN -> scales.get(Stage.Kind.MLP_OUT);
            case ATTENTION_OUT, MLP_OUT -> null;
        };
        if (next == null) {
            return null;
        }
        float[] all = new float[stage.out()];
        Arrays.fill(all, 1);
        System.arraycopy(next, 0, all, all.length - next.length, next.length);
        return all;
    }

    /** Divides the bias of the linear whose rows are divided, in the type that the format has it in. */
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
        settings.output().send(linear.biasName(), fold.bytes());
    }

    private float[] download(DeviceMatrix vector) {
        float[] values = new float[vector.columns()];
        device.stream().copyToHost(vector, MemorySegment.ofArray(values));
        device.stream().synchronize();
        return values;
    }

    @Override
    public Reports takeReports() {
        Reports taken = new Reports(List.copyOf(linearReports), List.copyOf(scaleReports));
        linearReports.clear();
        scaleReports.clear();
        return taken;
    }

    @Override
    public void close() {
        // Everything on the device is given back when a layer is done.
    }
}
