package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Trace;
import io.gpuquant.job.AwqStageQuantizer.Scales;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.FeedForward;
import io.gpuquant.model.LayerPass;
import io.gpuquant.model.LayerWeights;
import io.gpuquant.model.ModelFamily;
import io.gpuquant.model.RoutedTokens;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageInputs;
import io.gpuquant.model.StageWeights;
import io.gpuquant.quantize.AwqOptions;
import io.gpuquant.quantize.GramLoss;
import io.gpuquant.quantize.ScaleReport;
import io.gpuquant.quantize.ScaleSearch;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * AWQ of a layer: one pass with the original weights collects what the searches need; scales are searched for all groups;
 * then they are folded, ranges are cut, weights are rounded and written; a second pass gives the next layer its input.
 */
final class AwqLayerQuantizer implements LayerQuantizer {

    private final Device device;
    private final QuantizerSettings settings;
    private final ModelFamily family;
    private final QuantizationJobOptions.Awq method;
    private final ScaleSearch search;
    private final AwqStageQuantizer stages;
    private final AwqExperts experts;
    private final List<ScaleReport> scaleReports = new ArrayList<>();

    AwqLayerQuantizer(
            QuantizerSettings settings, ModelFamily family, AwqOptions options, QuantizationJobOptions.Awq method) {
        this.settings = settings;
        this.family = family;
        this.method = method;
        device = settings.device();
        search = new ScaleSearch(device, options, settings.peers()::sum);
        stages = new AwqStageQuantizer(settings, options);
        experts = new AwqExperts(settings, search, stages, scaleReports::add);
    }

    @Override
    public void quantize(DecoderLayer layer, @Nullable CalibrationPass calibration) {
        if (calibration == null) {
            throw new IllegalArgumentException("AWQ without calibration data");
        }
        LayerPass pass = calibration.layers();
        LayerPass.Residual residual = method.propagate() ? LayerPass.Residual.KEPT : LayerPass.Residual.UPDATED;
        try (LayerWeights weights = settings.loader().apply(layer)) {
            try (RoutedTokens routed = layer.router().map(pass::routedTokens).orElse(null);
                    LayerObservation seen = new LayerObservation(
                            device,
                            settings.peers(),
                            calibration.hidden().chunking(),
                            this::isQuantized,
                            this::isJudgedByModule)) {
                try (Trace.Span span = device.trace().begin("observe layer")) {
                    StageInputs watch =
                            settings.importance().<StageInputs>map(seen::then).orElse(seen);
                    pass.observe(weights, calibration.hidden(), watch, residual, routed);
                    seen.complete();
                }
                quantize(weights, layer.attentionIn(), layer.attentionOut(), seen, pass);
                if (routed == null) {
                    FeedForward mlp = layer.feedForwards().getFirst();
                    quantize(weights, mlp.in(), mlp.out(), seen, pass);
                } else {
                    experts.quantize(
                            weights,
                            routed,
                            pass,
                            AwqGroup.ofNorm(family, layer, Stage.Kind.MLP_IN, this::isQuantized),
                            this::isQuantized);
                }
            }
            if (method.propagate()) {
                try (Trace.Span span = device.trace().begin("pass quantized layer")) {
                    pass.run(weights, calibration.hidden());
                }
            }
        }
    }

    private boolean isQuantized(Stage stage) {
        return settings.isQuantized().test(stage.linears().getFirst());
    }

    /** What a module adds to the residual stream when one linear is rounded is that linear's output, or a product of it. */
    private boolean isJudgedByModule(Stage stage) {
        return method.objective() == QuantizationJobOptions.Objective.MODULE && AwqGroup.isPrevious(stage);
    }

    /** Scales and rounds a half of a layer: the attention, or the MLP. */
    private void quantize(LayerWeights weights, Stage in, Stage out, LayerObservation seen, LayerPass pass) {
        DecoderLayer layer = weights.layer();
        Optional<AwqGroup> ofNorm = AwqGroup.ofNorm(family, layer, in.kind(), this::isQuantized);
        Optional<AwqGroup> ofLinear = AwqGroup.ofLinear(in, out, this::isQuantized);
        float[] inScales =
                ofNorm.map(group -> search(group, weights, in, out, seen, pass)).orElse(null);
        float[] outScales = ofLinear.map(group -> search(group, weights, out, out, seen, pass))
                .orElse(null);
        inScales = stages.foldIntoNorm(
                weights.norm(
                        in.kind() == Stage.Kind.ATTENTION_IN
                                ? layer.norms().attention()
                                : layer.norms().mlp()),
                inScales);
        if (isQuantized(in)) {
            stages.quantize(weights.stage(in), seen.gram(in), new Scales(inScales, outScales));
        }
        if (isQuantized(out)) {
            stages.quantize(weights.stage(out), seen.gram(out), new Scales(outScales, null));
        }
    }

    /**
     * The best scales of a stage's input; null where it is better not scaled.
     *
     * @param out the last stage of the module that the stage is in
     */
    private float @Nullable [] search(
            AwqGroup group, LayerWeights weights, Stage stage, Stage out, LayerObservation seen, LayerPass pass) {
        ScaleSearch.Found found = search(weights, stage, out, seen, pass);
        scaleReports.add(
                new ScaleReport(group.previous(), group.linears(), found.ratio(), found.lossWithout(), found.loss()));
        return found.scales().orElse(null);
    }

    private ScaleSearch.Found search(
            LayerWeights weights, Stage stage, Stage out, LayerObservation seen, LayerPass pass) {
        StageWeights in = weights.stage(stage);
        DeviceMatrix dense = stages.dense(in);
        try (var buffer = dense.buffer();
                Trace.Span span = device.trace().begin("search scales of " + stage.kind())) {
            if (isJudgedByModule(stage)) {
                try (ModuleLoss loss = new ModuleLoss(
                        device, pass.module(weights, stage.kind()), seen.kept(stage), in, weights.stage(out))) {
                    return search.search(dense, seen.mean(stage), loss);
                }
            }
            DeviceMatrix judged = settings.seat().rows(dense);
            try (GramLoss loss = new GramLoss(device, judged.rows(), seen.gram(stage))) {
                return search.search(dense, judged, seen.mean(stage), loss);
            }
        }
    }

    @Override
    public Reports takeReports() {
        Reports taken = new Reports(stages.takeReports(), List.copyOf(scaleReports));
        scaleReports.clear();
        return taken;
    }

    @Override
    public void close() {
        // Everything on the device is given back when a layer is done.
    }
}
