package io.gpuquant.job;

import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LayerWeights;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageObserver;
import java.util.List;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** Quantizes a layer stage by stage; each stage sees what the quantized stages before it give. */
final class StagewiseQuantizer implements LayerQuantizer {

    private final Function<DecoderLayer, LayerWeights> loader;
    private final StageQuantizer stages;
    private final StageObserver observer;

    /**
     * @param loader gives the weights of a layer as they are in the source
     * @param watch goes between a pass and the stages' quantizer
     */
    StagewiseQuantizer(
            Function<DecoderLayer, LayerWeights> loader, StageQuantizer stages, UnaryOperator<StageObserver> watch) {
        this.loader = loader;
        this.stages = stages;
        observer = watch.apply(stages);
    }

    @Override
    public void quantize(DecoderLayer layer, @Nullable CalibrationPass pass) {
        try (LayerWeights weights = loader.apply(layer)) {
            if (pass == null) {
                for (Stage stage : layer.stages()) {
                    observer.inputsComplete(weights.stage(stage));
                }
            } else {
                pass.layers().run(weights, pass.hidden(), observer);
            }
        }
    }

    @Override
    public Reports takeReports() {
        return new Reports(stages.takeReports(), List.of());
    }

    @Override
    public void close() {
        stages.close();
    }
}
