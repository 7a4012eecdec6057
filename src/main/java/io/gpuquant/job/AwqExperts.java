package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.job.AwqStageQuantizer.Scales;
import io.gpuquant.kernels.AwqKernels;
import io.gpuquant.kernels.AwqKernels.Mean;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.kernels.HessianKernels;
import io.gpuquant.kernels.ScaleKernels;
import io.gpuquant.kernels.ScaleKernels.Factors;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.FeedForward;
import io.gpuquant.model.LayerPass;
import io.gpuquant.model.LayerWeights;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.RoutedTokens;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageWeights;
import io.gpuquant.quantize.CandidateLoss;
import io.gpuquant.quantize.GramDiagonal;
import io.gpuquant.quantize.GramLoss;
import io.gpuquant.quantize.ScaleReport;
import io.gpuquant.quantize.ScaleSearch;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * AWQ of the experts of a layer. One set of scales is searched for the input of all of them, by the error of each expert's
 * outputs for its own tokens; the norm before takes them, and the router is multiplied as the experts are, so that it
 * decides as before. Then each expert gets scales between its up and its down projection. There is one Gram matrix at a time.
 */
final class AwqExperts {

    private final Device device;
    private final QuantizerSettings settings;
    private final ScaleSearch search;
    private final AwqStageQuantizer stages;
    private final Consumer<ScaleReport> reports;
    private final AwqKernels kernels;

    AwqExperts(
            QuantizerSettings settings, ScaleSearch search, AwqStageQuantizer stages, Consumer<ScaleReport> reports) {
        this.settings = settings;
        this.search = search;
        this.stages = stages;
        this.reports = reports;
        device = settings.device();
        kernels = new AwqKernels(device.stream());
    }

    /**
     * Quantizes all experts of a layer.
     *
     * @param routed what enters them, with the original norm
     * @param ofNorm the group of their input; empty where it is not scaled
     */
    void quantize(
            LayerWeights weights,
            RoutedTokens routed,
            LayerPass pass,
            Optional<AwqGroup> ofNorm,
            Predicate<Stage> isQuantized) {
        List<Expert> experts = experts(weights.layer(), routed);
        float[] found =
                ofNorm.map(group -> search(group, weights, routed, experts)).orElse(null);
        float[] scales =
                stages.foldIntoNorm(weights.norm(weights.layer().norms().mlp()), found);
        foldIntoRouter(weights, scales);
        for (Expert expert : experts) {
            quantize(weights, expert, routed, pass, scales, isQuantized);
        }
    }

    /**
     * An expert, and the tokens of all devices.
     *
     * @param seen of them, those that come to it
     */
    private record Expert(int number, FeedForward feedForward, long seen, long all) {

        ExpertTokens tokens(Stage stage) {
            return new ExpertTokens(stage, seen, all);
        }
    }

    private List<Expert> experts(DecoderLayer layer, RoutedTokens routed) {
        int count = layer.feedForwards().size();
        double[] tokens = new double[count + 1];
        for (int i = 0; i < count; i++) {
            tokens[i] = routed.tokens(i);
        }
        tokens[count] = routed.allTokens();
        double[] everywhere = settings.peers().sum(tokens);
        List<Expert> experts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            experts.add(new Expert(i, layer.feedForwards().get(i), (long) everywhere[i], (long) everywhere[count]));
        }
        return experts;
    }

    private float @Nullable [] search(AwqGroup group, LayerWeights weights, RoutedTokens routed, List<Expert> experts) {
        List<ExpertPart> parts = experts.stream()
                .filter(expert -> expert.seen() > 0)
                .map(expert -> new ExpertPart(weights.stage(expert.feedForward().in()), routed, expert.number()))
                .toList();
        int in = group.stages().getFirst().in();
        DeviceMatrix sums = cleared("sums of inputs", AwqKernels.BANDS, in);
        try (var buffer = sums.buffer()) {
            routed.forEach((chunk, x) -> kernels.addAbsoluteSums(x, sums));
            settings.peers().sum(sums);
            ScaleSearch.Found found =
                    search.search(in, parts, new Mean(sums, experts.getFirst().all()));
            report(group, found);
            return found.scales().orElse(null);
        }
    }

    private void report(AwqGroup group, ScaleSearch.Found found) {
        reports.accept(
                new ScaleReport(group.previous(), group.linears(), found.ratio(), found.lossWithout(), found.loss()));
    }

    /** An expert's gate and up, judged by their outputs for the expert's own tokens. */
    private final class ExpertPart implements ScaleSearch.Part {

        private final StageWeights weights;
        private final RoutedTokens routed;
        private final int expert;

        ExpertPart(StageWeights weights, RoutedTokens routed, int expert) {
            this.weights = weights;
            this.routed = routed;
            this.expert = expert;
        }

        @Override
        public void withWeights(Consumer<DeviceMatrix> use) {
            DeviceMatrix dense = stages.dense(weights);
            try (var buffer = dense.buffer()) {
                use.accept(dense);
            }
        }

        @Override
        public void withLoss(BiConsumer<DeviceMatrix, CandidateLoss> use) {
            DeviceMatrix gram = gramOfInput(weights.stage(), routed, expert);
            try (var buffer = gram.buffer()) {
                withWeights(dense -> {
                    DeviceMatrix judged = settings.seat().rows(dense);
                    try (GramLoss loss = new GramLoss(device, judged.rows(), gram)) {
                        use.accept(judged, loss);
                    }
                });
            }
        }

        @Override
        public int pieces() {
            return 1;
        }
    }

    private DeviceMatrix gramOfInput(Stage stage, RoutedTokens routed, int expert) {
        DeviceMatrix gram = cleared("Gram matrix", stage.in(), stage.in());
        routed.forEach(expert, (chunk, x) -> device.blas().addGram(device.stream(), x, gram));
        return complete(gram, stage);
    }

    private DeviceMatrix complete(DeviceMatrix gram, Stage stage) {
        settings.peers().sum(gram);
        GramDiagonal.requireFinite(device, gram, stage.linears().getFirst().name());
        new HessianKernels(device.stream()).symmetrize(gram);
        return gram;
    }

    private DeviceMatrix cleared(String name, int rows, int columns) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, name, DType.F32, rows, columns);
        device.stream().clear(matrix);
        return matrix;
    }

    /** Multiplies the columns of the router, on the device and in the output. */
    private void foldIntoRouter(LayerWeights weights, float @Nullable [] scales) {
        LinearSpec linear = weights.layer().router().orElseThrow().linear();
        DeviceMatrix router = weights.router();
        DType stored = settings.types().apply(linear.weightName());
        DeviceMatrix scaled = DeviceMatrix.allocate(device, "router", DType.F32, router.rows(), router.columns());
        DeviceMatrix rounded = DeviceMatrix.allocate(device, "router", stored, router.rows(), router.columns());
        DeviceMatrix factors = DeviceMatrix.allocate(device, "scales of inputs", DType.F32, 1, router.columns());
        ConvertKernels convert = new ConvertKernels(device.stream());
        try (var scaledBuffer = scaled.buffer();
                var roundedBuffer = rounded.buffer();
                var factorBuffer = factors.buffer()) {
            convert.convert(router, scaled);
            if (scales != null) {
                device.stream().copyToDevice(MemorySegment.ofArray(scales), factors);
                new ScaleKernels(device.stream()).scale(scaled, new Factors(factors, false), Factors.ONES, scaled);
            }
            convert.convert(scaled, rounded);
            convert.convert(rounded, router);
            byte[] bytes = new byte[Math.toIntExact(rounded.byteSize())];
            device.stream().copyToHost(rounded, MemorySegment.ofArray(bytes));
            device.stream().synchronize();
            settings.commonOutput().send(linear.weightName(), MemorySegment.ofArray(bytes));
        }
    }

    private void quantize(
            LayerWeights weights,
            Expert expert,
            RoutedTokens routed,
            LayerPass pass,
            float @Nullable [] scales,
            Predicate<Stage> isQuantized) {
        FeedForward feedForward = expert.feedForward();
        ExpertTokens in = expert.tokens(feedForward.in());
        ExpertTokens out = expert.tokens(feedForward.out());
        DeviceMatrix inner =
                cleared("Gram matrix", feedForward.out().in(), feedForward.out().in());
        DeviceMatrix sums = cleared("sums of inputs", AwqKernels.BANDS, inner.columns());
        try (var innerBuffer = inner.buffer();
                var sumBuffer = sums.buffer()) {
            settings.importance()
                    .ifPresent(watch -> routed.forEach(expert.number(), (chunk, x) -> watch.add(feedForward.in(), x)));
            pass.activations(routed, expert.number(), weights.stage(feedForward.in()), (chunk, x) -> {
                device.blas().addGram(device.stream(), x, inner);
                kernels.addAbsoluteSums(x, sums);
                settings.importance().ifPresent(watch -> watch.add(feedForward.out(), x));
            });
            complete(inner, feedForward.out());
            settings.peers().sum(sums);
            float[] between = out.areTooFew()
                    ? null
                    : AwqGroup.ofLinear(feedForward.in(), feedForward.out(), isQuantized)
                            .map(group -> searchInner(group, weights, inner, new Mean(sums, out.seen())))
                            .orElse(null);
            if (isQuantized.test(feedForward.in())) {
                quantizeInput(
                        weights.stage(feedForward.in()), in, routed, expert.number(), new Scales(scales, between));
            }
            if (isQuantized.test(feedForward.out())) {
                StageWeights down = weights.stage(feedForward.out());
                if (out.areTooFew()) {
                    stages.round(down, new Scales(between, null), out);
                } else {
                    stages.quantize(down, inner, new Scales(between, null));
                }
            }
        }
    }

    private void quantizeInput(
            StageWeights weights, ExpertTokens tokens, RoutedTokens routed, int expert, Scales scales) {
        if (tokens.areTooFew()) {
            stages.round(weights, scales, tokens);
            return;
        }
        DeviceMatrix gram = gramOfInput(weights.stage(), routed, expert);
        try (var buffer = gram.buffer()) {
            stages.quantize(weights, gram, scales);
        }
    }

    private float @Nullable [] searchInner(AwqGroup group, LayerWeights weights, DeviceMatrix gram, Mean inputs) {
        DeviceMatrix dense = stages.dense(weights.stage(group.stages().getFirst()));
        DeviceMatrix judged = settings.seat().rows(dense);
        try (var buffer = dense.buffer();
                GramLoss loss = new GramLoss(device, judged.rows(), gram)) {
            ScaleSearch.Found found = search.search(dense, judged, inputs, loss);
            report(group, found);
            return found.scales().orElse(null);
        }
    }
}
