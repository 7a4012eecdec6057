package io.gpuquant.job;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Trace;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageObserver;
import io.gpuquant.model.StageWeights;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Notes in a timeline how a layer goes through its stages: from a stage's first inputs to the last, and its quantization. */
final class StageSpans implements StageObserver {

    private final Trace trace;
    private final StageObserver observer;
    private Trace.@Nullable Span inputs;

    StageSpans(Trace trace, StageObserver observer) {
        this.trace = trace;
        this.observer = observer;
    }

    @Override
    public void input(Stage stage, DeviceMatrix x) {
        if (inputs == null) {
            inputs = trace.begin("inputs of " + name(stage));
        }
        observer.input(stage, x);
    }

    @Override
    public void inputsComplete(StageWeights weights) {
        Trace.Span span = inputs;
        if (span != null) {
            span.close();
            inputs = null;
        }
        try (Trace.Span quantizing = trace.begin("quantize " + name(weights.stage()))) {
            observer.inputsComplete(weights);
        }
    }

    private static String name(Stage stage) {
        return stage.kind().name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
