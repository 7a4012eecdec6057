package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.PackedScheme;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LayerWeights;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelFamily;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageObserver;
import io.gpuquant.model.StageWeights;
import io.gpuquant.quantize.AwqOptions;
import io.gpuquant.quantize.CodeLayout;
import io.gpuquant.quantize.GptqMethod;
import io.gpuquant.quantize.GptqOptions;
import io.gpuquant.quantize.LinearReport;
import io.gpuquant.quantize.QuantizationMethod;
import io.gpuquant.quantize.RoundToNearest;
import io.gpuquant.tensor.DType;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/**
 * What a layer quantizer is made of.
 *
 * @param loader gives the weights of a layer as they are in the source
 * @param types the type of a tensor in the source
 * @param isQuantized whether a linear is to be quantized at all; the same for all linears of a stage
 * @param family decides what AWQ scales
 * @param listener is told of each linear that is done
 * @param watch goes between a pass and what sees the inputs of its stages
 * @param importance is shown the inputs of all stages too, if there is one
 * @param peers the other devices that calibrate with this one
 */
record QuantizerSettings(
        Device device,
        PackedScheme scheme,
        Function<DecoderLayer, LayerWeights> loader,
        Function<String, DType> types,
        ResultOutput output,
        Predicate<LinearSpec> isQuantized,
        ModelFamily family,
        Consumer<LinearReport> listener,
        UnaryOperator<StageObserver> watch,
        Optional<ImportanceWatch> importance,
        Peers peers) {

    /** This device's share of the work. */
    Seat seat() {
        return peers.seat();
    }

    /** Where tensors go that all devices make alike: one of them sends them. */
    ResultOutput commonOutput() {
        return seat().leads() ? output : ResultOutput.NOWHERE;
    }

    /** The quantizer that was asked for. */
    LayerQuantizer quantizer(QuantizationJobOptions options) {
        return switch (options.method()) {
            case QuantizationJobOptions.Rtn rtn ->
                stagewise(rounding(options, QuantizationGrid.Search.MIN_MAX), options);
            case QuantizationJobOptions.Gptq gptq ->
                stagewise(
                        new GptqMethod(
                                device,
                                new GptqOptions(
                                        grid(
                                                options,
                                                gptq.mse()
                                                        ? QuantizationGrid.Search.MSE
                                                        : QuantizationGrid.Search.MIN_MAX),
                                        options.groupSize(),
                                        ordering(gptq),
                                        gptq.staticGroups(),
                                        gptq.damping()),
                                scheme instanceof GptqScheme ? CodeLayout.WORDS : CodeLayout.BYTES),
                        options);
            case QuantizationJobOptions.Awq awq ->
                new AwqLayerQuantizer(
                        this,
                        family,
                        new AwqOptions(
                                grid(options, QuantizationGrid.Search.MIN_MAX),
                                options.groupSize(),
                                awq.ratios(),
                                awq.duo(),
                                awq.clip()),
                        awq);
        };
    }

    private StagewiseQuantizer stagewise(QuantizationMethod method, QuantizationJobOptions options) {
        StageWriter writer = StageWriter.of(device, scheme, output);
        QuantizationMethod withoutData = rounding(options, QuantizationGrid.Search.MIN_MAX);
        return new StagewiseQuantizer(
                loader,
                new StageQuantizer(device, method, withoutData, writer, isQuantized, listener, peers),
                observer -> watch.apply(importance
                        .<StageObserver>map(seen -> new WatchedStages(seen, observer))
                        .orElse(observer)));
    }

    /** Has importance summed beside what the quantizer of stages wants of the same inputs. */
    private record WatchedStages(ImportanceWatch importance, StageObserver observer) implements StageObserver {

        @Override
        public void input(Stage stage, DeviceMatrix x) {
            importance.add(stage, x);
            observer.input(stage, x);
        }

        @Override
        public void inputsComplete(StageWeights weights) {
            observer.inputsComplete(weights);
        }
    }

    private RoundToNearest rounding(QuantizationJobOptions options, QuantizationGrid.Search search) {
        return new RoundToNearest(device, grid(options, search), options.groupSize());
    }

    private QuantizationGrid grid(QuantizationJobOptions options, QuantizationGrid.Search search) {
        return new QuantizationGrid(
                options.bits(),
                options.symmetric(),
                options.version().smallestZero(),
                search,
                scheme.scaleType() == DType.BF16);
    }

    private static GptqOptions.Ordering ordering(QuantizationJobOptions.Gptq gptq) {
        if (gptq.descAct()) {
            return GptqOptions.Ordering.ACTIVATION;
        }
        return gptq.groupAware() ? GptqOptions.Ordering.GROUP_AWARE : GptqOptions.Ordering.NATURAL;
    }
}
