package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.AwqKernels;
import io.gpuquant.kernels.AwqKernels.Cut;
import io.gpuquant.kernels.AwqKernels.Mean;
import io.gpuquant.kernels.AwqKernels.Rounding;
import io.gpuquant.kernels.ReductionKernels;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * AWQ's search for the scales of input features (Lin et al., arXiv 2306.00978, section 3.2, with the weights' part that
 * AutoAWQ added): of the candidates, the one whose rounded weights have the least loss. No scaling is always among them.
 * All losses stay on the device until all candidates are done.
 */
public final class ScaleSearch {

    private final Device device;
    private final AwqOptions options;
    private final AwqKernels kernels;

    public ScaleSearch(Device device, AwqOptions options) {
        this.device = device;
        this.options = options;
        kernels = new AwqKernels(device.stream());
    }

    /**
     * What was found.
     *
     * @param scales one per input feature; empty where no scaling is best
     * @param ratio of the best candidate; null where no scaling is best
     * @param losses of all candidates, no scaling first, then by rising ratio
     */
    @SuppressWarnings("ArrayRecordComponent") // Bulk data that is made once and only read.
    public record Found(Optional<float[]> scales, @Nullable Double ratio, double[] losses) {

        /** The loss without scaling. */
        public double lossWithout() {
            return losses[0];
        }

        /** The least loss. */
        public double loss() {
            double least = losses[0];
            for (double loss : losses) {
                least = Math.min(least, loss);
            }
            return least;
        }
    }

    /**
     * Searches.
     *
     * @param weights F32 [out of all linears that share the input, in], dense
     * @param inputs sums of the absolute input
     */
    public Found search(DeviceMatrix weights, Mean inputs, CandidateLoss loss) {
        int in = weights.columns();
        int groupSize = options.groupSize(in);
        int candidates = options.ratios() + 1;
        DeviceMatrix scales = DeviceMatrix.allocate(device, "candidate scales", DType.F32, candidates, in);
        try (var buffer = scales.buffer();
                ReductionKernels.Sums losses = new ReductionKernels(device).sums(candidates, loss.pieces())) {
            makeScales(weights, inputs, groupSize, scales);
            for (int i = 0; i < candidates; i++) {
                DeviceMatrix ofCandidate = i == 0 ? null : scales.rows(i, 1);
                loss.add(losses, i, new Rounding(weights, ofCandidate, groupSize, options.grid(), Cut.NONE));
            }
            return best(losses.read(), scales);
        }
    }

    private void makeScales(DeviceMatrix weights, Mean inputs, int groupSize, DeviceMatrix scales) {
        if (!options.duo()) {
            kernels.candidateScales(inputs, null, scales);
            return;
        }
        DeviceMatrix shares =
                DeviceMatrix.allocate(device, "weights by group", DType.F32, weights.rows(), weights.columns());
        DeviceMatrix sums =
                DeviceMatrix.allocate(device, "sums of weights", DType.F32, AwqKernels.BANDS, weights.columns());
        try (var shareBuffer = shares.buffer();
                var sumBuffer = sums.buffer()) {
            device.stream().clear(sums);
            kernels.groupShares(weights, groupSize, shares);
            kernels.addAbsoluteSums(shares, sums);
            kernels.candidateScales(inputs, new Mean(sums, weights.rows()), scales);
        }
    }

    /** A candidate whose loss is not a number is never best; where none is a number, nothing is scaled. */
    private Found best(double[] losses, DeviceMatrix scales) {
        int best = 0;
        for (int i = 1; i < losses.length; i++) {
            if (losses[i] < losses[best]) {
                best = i;
            }
        }
        if (best == 0) {
            return new Found(Optional.empty(), null, losses);
        }
        float[] values = new float[scales.columns()];
        device.stream().copyToHost(scales.rows(best, 1), MemorySegment.ofArray(values));
        device.stream().synchronize();
        return new Found(Optional.of(values), (best - 1) / (double) options.ratios(), losses);
    }
}
