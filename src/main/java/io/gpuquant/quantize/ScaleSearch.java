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
import java.util.List;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * AWQ's search for the scales of input features (Lin et al., arXiv 2306.00978, section 3.2, with the weights' part that
 * AutoAWQ added): of the candidates, the one whose rounded weights have the least loss. No scaling is always among them.
 * All losses stay on the device until all candidates are done. Several devices may search together, each with a share of what
 * the loss is a sum of.
 */
public final class ScaleSearch {

    private final Device device;
    private final AwqOptions options;
    private final UnaryOperator<double[]> everywhere;
    private final AwqKernels kernels;

    public ScaleSearch(Device device, AwqOptions options) {
        this(device, options, UnaryOperator.identity());
    }

    /**
     * A search together with others, which have the same weights and sums of inputs.
     *
     * @param everywhere the losses of all candidates here into the sums of them everywhere, which must be the same to the bit
     */
    public ScaleSearch(Device device, AwqOptions options, UnaryOperator<double[]> everywhere) {
        this.device = device;
        this.options = options;
        this.everywhere = everywhere;
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
        return search(weights, weights, inputs, loss);
    }

    /**
     * Searches where others judge some of the weights.
     *
     * @param weights F32 [out of all linears that share the input, in], dense
     * @param judged those of their rows that the loss here is of; may be none
     * @param inputs sums of the absolute input
     */
    public Found search(DeviceMatrix weights, DeviceMatrix judged, Mean inputs, CandidateLoss loss) {
        return search(weights.columns(), List.of(new Whole(weights, judged, loss)), inputs);
    }

    /** Linears that share the input with others, and are looked at one part after another to save memory. */
    public interface Part {

        /**
         * Hands over the weights for as long as the call lasts.
         *
         * @param use takes F32 [out, in], dense
         */
        void withWeights(Consumer<DeviceMatrix> use);

        /** Hands over those of the weights that the loss here is of, and the loss, for as long as the call lasts. */
        void withLoss(BiConsumer<DeviceMatrix, CandidateLoss> use);

        /** Into how many pieces the loss of a candidate falls. */
        int pieces();
    }

    /** All there is. */
    private record Whole(DeviceMatrix weights, DeviceMatrix judged, CandidateLoss loss) implements Part {

        @Override
        public void withWeights(Consumer<DeviceMatrix> use) {
            use.accept(weights);
        }

        @Override
        public void withLoss(BiConsumer<DeviceMatrix, CandidateLoss> use) {
            use.accept(judged, loss);
        }

        @Override
        public int pieces() {
            return loss.pieces();
        }
    }

    /**
     * Searches for the scales that are best for all parts together.
     *
     * @param in input features
     * @param inputs sums of the absolute input
     */
    public Found search(int in, List<? extends Part> parts, Mean inputs) {
        int groupSize = options.groupSize(in);
        int candidates = options.ratios() + 1;
        DeviceMatrix scales = DeviceMatrix.allocate(device, "candidate scales", DType.F32, candidates, in);
        try (var buffer = scales.buffer();
                ReductionKernels.Sums losses = new ReductionKernels(device)
                        .sums(candidates, parts.stream().mapToInt(Part::pieces).sum())) {
            makeScales(in, parts, inputs, groupSize, scales);
            for (Part part : parts) {
                part.withLoss((weights, loss) -> {
                    for (int i = 0; i < candidates; i++) {
                        DeviceMatrix ofCandidate = i == 0 ? null : scales.rows(i, 1);
                        loss.add(losses, i, new Rounding(weights, ofCandidate, groupSize, options.grid(), Cut.NONE));
                    }
                });
            }
            return best(everywhere.apply(losses.read()), scales);
        }
    }

    private void makeScales(int in, List<? extends Part> parts, Mean inputs, int groupSize, DeviceMatrix scales) {
        if (!options.duo()) {
            kernels.candidateScales(inputs, null, scales);
            return;
        }
        DeviceMatrix sums = DeviceMatrix.allocate(device, "sums of weights", DType.F32, AwqKernels.BANDS, in);
        try (var sumBuffer = sums.buffer()) {
            device.stream().clear(sums);
            long[] rows = {0};
            for (Part part : parts) {
                part.withWeights(weights -> {
                    rows[0] += weights.rows();
                    addShares(weights, groupSize, sums);
                });
            }
            kernels.candidateScales(inputs, new Mean(sums, rows[0]), scales);
        }
    }

    private void addShares(DeviceMatrix weights, int groupSize, DeviceMatrix sums) {
        DeviceMatrix shares =
                DeviceMatrix.allocate(device, "weights by group", DType.F32, weights.rows(), weights.columns());
        try (var shareBuffer = shares.buffer()) {
            kernels.groupShares(weights, groupSize, shares);
            kernels.addAbsoluteSums(shares, sums);
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
