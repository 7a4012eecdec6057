package io.gpuquant.job;

import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelStructure;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What becomes of a linear.
 *
 * @param quantized whether it is quantized, or kept as it is
 * @param reason why it is kept; empty when it is quantized
 */
public record LinearDecision(LinearSpec linear, boolean quantized, String reason) {

    /** What a format cannot hold of a shape. */
    @FunctionalInterface
    interface Obstacle {

        /** In words, such as would follow the linear's name and "has"; empty where there is nothing. */
        Optional<String> of(int in, int out);
    }

    /** Linears that share an input are quantized all or none: engines fuse them. */
    static List<LinearDecision> ofStages(ModelStructure structure, Obstacle obstacles) {
        List<LinearDecision> decisions = new ArrayList<>();
        structure
                .layers()
                .forEach(layer -> layer.stages().forEach(stage -> {
                    String reason = stage.linears().stream()
                            .flatMap(linear -> obstacles.of(linear.in(), linear.out()).stream()
                                    .map(obstacle -> linear.name() + " has " + obstacle))
                            .findFirst()
                            .orElse("");
                    stage.linears()
                            .forEach(linear -> decisions.add(new LinearDecision(linear, reason.isEmpty(), reason)));
                }));
        return decisions;
    }
}
