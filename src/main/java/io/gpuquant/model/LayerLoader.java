package io.gpuquant.model;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Trace;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Loads the weights of one layer after another, and the next one ahead while the device computes with the one before. */
public final class LayerLoader implements Function<DecoderLayer, LayerWeights>, AutoCloseable {

    private final Device device;
    private final WeightSource source;
    private final DType operandType;
    private final int hiddenSize;
    private final Function<DecoderLayer, Optional<DecoderLayer>> next;
    private final boolean ahead;
    private final Prefetcher prefetcher;
    private @Nullable Coming coming;

    /**
     * @param next the layer that will be asked for after this one
     * @param ahead whether two layers may be on the device at once; if not, the next one's file is read ahead
     */
    public LayerLoader(
            Device device,
            WeightSource source,
            DType operandType,
            int hiddenSize,
            Function<DecoderLayer, Optional<DecoderLayer>> next,
            boolean ahead) {
        this.device = device;
        this.source = source;
        this.operandType = operandType;
        this.hiddenSize = hiddenSize;
        this.next = next;
        this.ahead = ahead;
        prefetcher = new Prefetcher(device);
    }

    /** The weights of a layer, which are the caller's to close. */
    @Override
    public LayerWeights apply(DecoderLayer layer) {
        LayerWeights weights;
        try (Trace.Span span = device.trace().begin("weights of layer " + layer.index())) {
            weights = take(layer);
        }
        try {
            next.apply(layer).ifPresent(this::anticipate);
        } catch (RuntimeException failure) {
            weights.close();
            throw failure;
        }
        return weights;
    }

    private LayerWeights take(DecoderLayer layer) {
        Coming expected = coming;
        if (expected != null && expected.weights().layer().equals(layer)) {
            coming = null;
            try {
                expected.arrivals().forEach(Arrival::complete);
                return expected.weights();
            } catch (RuntimeException failure) {
                prefetcher.close();
                expected.discard();
                throw failure;
            }
        }
        return new LayerWeights(device, layer, source, operandType, hiddenSize);
    }

    private void anticipate(DecoderLayer layer) {
        if (ahead) {
            List<Arrival> arrivals = new ArrayList<>();
            WeightSource beginning = new Beginning(source, prefetcher, arrivals);
            coming = new Coming(new LayerWeights(device, layer, beginning, operandType, hiddenSize), arrivals);
        } else {
            Stream.concat(
                            Stream.of(layer.attentionNorm(), layer.mlpNorm()),
                            layer.linears().stream().map(LinearSpec::weightName))
                    .forEach(tensor -> source.anticipate(tensor, prefetcher));
        }
    }

    /** A layer that is being loaded. */
    private record Coming(LayerWeights weights, List<Arrival> arrivals) {

        void discard() {
            arrivals.forEach(Arrival::close);
            weights.close();
        }
    }

    /** Only begins to load what it is asked to load. */
    private record Beginning(WeightSource source, Prefetcher prefetcher, List<Arrival> arrivals)
            implements WeightSource {

        @Override
        public DType dtype(String tensor) {
            return source.dtype(tensor);
        }

        @Override
        public void load(String tensor, DeviceMatrix target) {
            arrivals.add(source.begin(tensor, target, prefetcher));
        }
    }

    @Override
    public void close() {
        prefetcher.close();
        if (coming != null) {
            coming.discard();
            coming = null;
        }
    }
}
