package io.gpuquant.job;

import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LayerPass.Residual;
import io.gpuquant.model.WeightSource;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * How calibration sequences pass a layer that an earlier run has written, so that the next one gets what it got there, and who
 * watches sees what was seen there.
 *
 * @param importance is shown what entered the linears when they were quantized
 */
record LayerReplay(QuantizationJobOptions.MethodOptions method, Optional<ImportanceWatch> importance) {

    /**
     * Passes a layer.
     *
     * @param original gives the weights of the source
     * @param written gives those of the output
     */
    void run(CalibrationPass pass, DecoderLayer layer, WeightSource original, Supplier<WeightSource> written) {
        WeightSource next = method.propagates() ? written.get() : original;
        if (importance.isEmpty()) {
            pass.run(layer, next);
        } else if (observesOriginal() && method.propagates()) {
            pass.observe(layer, original, importance.get(), Residual.KEPT);
            pass.run(layer, next);
        } else {
            pass.observe(layer, next, importance.get(), Residual.UPDATED);
        }
    }

    /** AWQ looks at a layer before it changes any of it; others quantize a stage, and look at the next behind it. */
    private boolean observesOriginal() {
        return method instanceof QuantizationJobOptions.Awq;
    }
}
