package io.gpuquant.quantize;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How the search for the scales of an AWQ group went.
 *
 * @param previous what the scales are folded into: a norm, or a linear
 * @param linears that get the scaled input
 * @param ratio of activations to weights that was best; null where nothing was better than no scaling
 * @param lossWithout the loss without scaling
 * @param loss the loss of the best candidate, in the same unit
 */
public record ScaleReport(
        String previous, List<String> linears, @Nullable Double ratio, double lossWithout, double loss) {

    public ScaleReport {
        linears = List.copyOf(linears);
    }

    /** What part of the loss without scaling is left. */
    public double lossLeft() {
        return lossWithout > 0 ? loss / lossWithout : 1;
    }
}
