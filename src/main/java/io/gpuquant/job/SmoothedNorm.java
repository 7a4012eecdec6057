package io.gpuquant.job;

import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.Norm;
import io.gpuquant.model.Stage;
import java.util.Optional;

/** Which norms SmoothQuant may divide: those whose output goes into the linears of one stage and nowhere else. */
final class SmoothedNorm {

    private SmoothedNorm() {}

    /** The norm that a stage's input comes from; empty where it comes from a product, or others take it too. */
    static Optional<Norm> before(DecoderLayer layer, Stage stage) {
        long alike = layer.stages().stream()
                .filter(other -> other.kind() == stage.kind())
                .count();
        if (alike != 1 || layer.attentionNorm().equals(layer.mlpNorm())) {
            return Optional.empty();
        }
        return switch (stage.kind()) {
            case ATTENTION_IN -> Optional.of(layer.norms().attention());
            case MLP_IN -> Optional.of(layer.norms().mlp());
            case ATTENTION_OUT, MLP_OUT -> Optional.empty();
        };
    }
}
