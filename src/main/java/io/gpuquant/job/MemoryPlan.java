package io.gpuquant.job;

import io.gpuquant.ResourceException;
import io.gpuquant.model.ActivationStore.Placement;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.LayerPass;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/**
 * What a calibration run holds on a device at once, and how it makes do with that: how many tokens are computed with at once,
 * where the activations of all tokens go (on the device if they fit, else the largest first to memory of this process), and
 * whether the next layer's weights are loaded while a layer is computed. None of it changes a bit of the result, and nothing of
 * it is estimated: it comes of a {@link Rehearsal}.
 *
 * @param prefetch whether the weights of two layers are on the device at once
 * @param stages what is held when the most is held, for each step of the run; all layers are alike
 * @param hostBytes memory of this process for activations that the device has no room for
 * @param layerOperations multiplications and additions of a layer's matrix products
 */
public record MemoryPlan(
        Room room,
        Chunking chunking,
        Placements placements,
        boolean prefetch,
        List<Stage> stages,
        long hostBytes,
        long layerOperations) {

    /**
     * Where the activations of all tokens are kept.
     *
     * @param hidden the residual stream
     */
    public record Placements(Placement hidden, LayerPass.Placements stages) {

        /** From the fastest to the one that takes the least device memory. */
        static final List<Placements> CHOICES = List.of(
                of(Placement.DEVICE, Placement.DEVICE, Placement.DEVICE),
                of(Placement.DEVICE, Placement.DEVICE, Placement.HOST),
                of(Placement.DEVICE, Placement.HOST, Placement.HOST),
                of(Placement.HOST, Placement.HOST, Placement.HOST));

        private static Placements of(Placement hidden, Placement attention, Placement mlp) {
            return new Placements(hidden, new LayerPass.Placements(attention, mlp));
        }
    }

    /** A piece of device memory by the name it is allocated under. */
    public record Holding(String name, long bytes) {}

    /**
     * A step of a run.
     *
     * @param peakBytes the most that is held at once
     * @param holdings what that is, the largest first
     */
    public record Stage(String name, long peakBytes, List<Holding> holdings) {

        public Stage {
            holdings = List.copyOf(holdings);
        }

        /** The largest holdings in words. */
        public String describe(int most) {
            String named = holdings.stream()
                    .limit(most)
                    .map(holding -> holding.name() + " " + Sizes.format(holding.bytes()))
                    .collect(Collectors.joining(", "));
            long rest = holdings.stream().skip(most).mapToLong(Holding::bytes).sum();
            return rest == 0 ? named : named + ", other " + Sizes.format(rest);
        }
    }

    public MemoryPlan {
        stages = List.copyOf(stages);
    }

    /** The step that holds the most. */
    public Stage widest() {
        return stages.stream().max(Comparator.comparingLong(Stage::peakBytes)).orElseThrow();
    }

    /** The most device memory that is held at once. */
    public long peakBytes() {
        return widest().peakBytes();
    }

    /** Whether the device has room for it. */
    public boolean fits() {
        return peakBytes() <= room.availableBytes();
    }

    /**
     * Fails when the device has no room.
     *
     * @throws ResourceException that says what does not fit
     */
    public void requireRoom() {
        if (!fits()) {
            Stage widest = widest();
            throw new ResourceException("calibrating takes at least " + Sizes.format(widest.peakBytes()) + " on "
                    + room.info().id() + " (" + widest.name() + ": " + widest.describe(3) + "), but "
                    + Sizes.format(room.availableBytes())
                    + " may be used; raise --device-memory if it was set, lower --sequence-length or --samples, or"
                    + " choose another --device");
        }
    }
}
