package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.format.CompressedScheme;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.kernels.RangeKernels;
import io.gpuquant.kernels.ReductionKernels;
import io.gpuquant.kernels.ScaleKernels;
import io.gpuquant.kernels.ScaleKernels.Factors;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.Norm;
import io.gpuquant.model.Stage;
import io.gpuquant.model.WeightSource;
import io.gpuquant.quantize.ElementEncoder;
import io.gpuquant.quantize.EncodedWeight;
import io.gpuquant.quantize.LinearReport;
import io.gpuquant.quantize.Smoothing;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Encodes the linears of decoder layers: one weight is on the device at a time. */
final class ElementLayers {

    /** Elements that sums of differences are taken over at once. */
    private static final int VECTOR = 4;

    private final Device device;
    private final ElementPlan plan;
    private final WeightSource source;
    private final @Nullable InputRanges ranges;
    private final TensorOutput output;
    private final Consumer<LinearReport> listener;
    private final ElementWriter writer;
    private final ElementEncoder encoder;
    private final Set<String> quantized;

    /**
     * @param ranges of the inputs; null where none are needed
     */
    ElementLayers(
            Device device,
            ElementPlan plan,
            WeightSource source,
            @Nullable InputRanges ranges,
            TensorOutput output,
            Consumer<LinearReport> listener) {
        this.device = device;
        this.plan = plan;
        this.source = source;
        this.ranges = ranges;
        this.output = output;
        this.listener = listener;
        writer = new ElementWriter(device, plan.scheme(), output);
        encoder = new ElementEncoder(device);
        quantized = plan.quantizedLinears();
    }

    /** Encodes and writes all linears of a layer, and the norms before them where they are smoothed. */
    void encode(DecoderLayer layer) {
        for (Stage stage : layer.stages()) {
            boolean encoded = quantized.contains(stage.linears().getFirst().name());
            Optional<Norm> norm = plan.options().smoothing() > 0 ? SmoothedNorm.before(layer, stage) : Optional.empty();
            float @Nullable [] divisors = norm.isPresent() ? smooth(norm.get(), stage, encoded) : null;
            if (encoded) {
                encode(stage, divisors);
            }
        }
    }

    private void encode(Stage stage, float @Nullable [] divisors) {
        boolean shares =
                plan.scheme() instanceof CompressedScheme form && form.preset().isTwoLevel();
        float weightMost = 0;
        if (shares) {
            for (LinearSpec linear : stage.linears()) {
                weightMost = Math.max(weightMost, withWeight(linear, divisors, encoder::absmax));
            }
        }
        String first = stage.linears().getFirst().name();
        float inputMost = ranges == null ? 0 : ranges.most(first);
        ElementWriter.Shared shared = new ElementWriter.Shared(weightMost, inputMost);
        for (LinearSpec linear : stage.linears()) {
            LinearReport report = withWeight(linear, divisors, weight -> encode(linear, weight, shared));
            listener.accept(report);
        }
    }

    /** What is done with a weight while it is on the device. */
    private interface Use<T> {
        T of(DeviceMatrix weight);
    }

    private <T> T withWeight(LinearSpec linear, float @Nullable [] factors, Use<T> use) {
        List<DeviceBuffer> owned = new ArrayList<>();
        try {
            DeviceMatrix weight =
                    allocate(owned, linear.weightName(), plan.scheme().weightType(), linear.out(), linear.in());
            source.load(linear.weightName(), weight);
            if (factors == null) {
                return use.of(weight);
            }
            DeviceMatrix columns = allocate(owned, "factors of features", DType.F32, 1, factors.length);
            device.stream().copyToDevice(MemorySegment.ofArray(factors), columns);
            DeviceMatrix scaled = allocate(owned, "scaled weights", DType.F32, linear.out(), linear.in());
            new ScaleKernels(device.stream()).scale(weight, Factors.times(columns), Factors.ONES, scaled);
            return use.of(scaled);
        } finally {
            owned.forEach(DeviceBuffer::close);
        }
    }

    private LinearReport encode(LinearSpec linear, DeviceMatrix weight, ElementWriter.Shared shared) {
        try (EncodedWeight encoded = writer.write(linear, weight, shared)) {
            double error = relativeError(weight, encoded);
            return new LinearReport(linear.name(), plan.options().command(), error, 0, 0, "");
        }
    }

    /** {@code |W - Ŵ|² / |W|²}. */
    private double relativeError(DeviceMatrix weight, EncodedWeight encoded) {
        ReductionKernels reductions = new ReductionKernels(device);
        int count = Math.toIntExact(weight.elementCount());
        int padded = Math.ceilDiv(count, VECTOR) * VECTOR;
        List<DeviceBuffer> owned = new ArrayList<>();
        try (ReductionKernels.Sums sums = reductions.sums(2, 1)) {
            DeviceMatrix original = allocate(owned, "weights", DType.F32, 1, padded);
            DeviceMatrix decoded = allocate(owned, "decoded weights", DType.F32, 1, padded);
            device.stream().clear(original);
            device.stream().clear(decoded);
            new ConvertKernels(device.stream())
                    .convert(weight, original.columns(0, count).reshape(weight.rows(), weight.columns()));
            encoded.decode(decoded.columns(0, count).reshape(weight.rows(), weight.columns()));
            sums.addDot(0, original, original);
            sums.addSquaredDifference(1, original, decoded);
            double[] values = sums.read();
            return values[0] == 0 ? values[1] : values[1] / values[0];
        } finally {
            owned.forEach(DeviceBuffer::close);
        }
    }

    /** Divides the norm before a stage, and returns what it was divided by; null where nothing is. */
    private float @Nullable [] smooth(Norm norm, Stage stage, boolean encoded) {
        DType dtype = source.dtype(norm.tensor());
        DeviceMatrix vector = DeviceMatrix.allocate(device, norm.tensor(), DType.F32, 1, stage.in());
        float[] values = new float[stage.in()];
        try (var buffer = vector.buffer()) {
            source.load(norm.tensor(), vector);
            download(vector, values);
        }
        float[] scales = null;
        if (encoded && ranges != null) {
            float[] activations = ranges.of(stage.linears().getFirst().name());
            scales = Smoothing.scales(
                    activations, columnMaxima(stage), plan.options().smoothing());
        }
        NormFold fold = NormFold.of(values, scales, norm.flavour(), dtype);
        output.write(norm.tensor(), fold.bytes());
        return scales == null ? null : fold.scales();
    }

    /** The largest magnitude of the weights that meet each input feature of a stage. */
    private float[] columnMaxima(Stage stage) {
        float[] values = new float[stage.in()];
        DeviceMatrix maxima = DeviceMatrix.allocate(device, "ranges of weights", DType.F32, 1, stage.in());
        try (var buffer = maxima.buffer()) {
            device.stream().clear(maxima);
            RangeKernels kernels = new RangeKernels(device.stream());
            for (LinearSpec linear : stage.linears()) {
                withWeight(linear, null, weight -> {
                    kernels.raiseToColumns(weight, maxima);
                    return true;
                });
            }
            download(maxima, values);
        }
        return values;
    }

    private void download(DeviceMatrix vector, float[] values) {
        device.stream().copyToHost(vector, MemorySegment.ofArray(values));
        device.stream().synchronize();
    }

    private DeviceMatrix allocate(List<DeviceBuffer> owned, String name, DType dtype, int rows, int columns) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, name, dtype, rows, columns);
        owned.add(matrix.buffer());
        return matrix;
    }
}
