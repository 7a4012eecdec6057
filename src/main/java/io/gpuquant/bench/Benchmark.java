package io.gpuquant.bench;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOutOfMemoryException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** Measures a device, which nothing else may use meanwhile. */
public final class Benchmark {

    private final Device device;
    private final LayerShape shape;
    private final Clock clock;
    private final Consumer<String> progress;
    private final List<String> leftOut = new ArrayList<>();

    /**
     * @param quick whether to measure once and shortly, for numbers that are off by some tens of percent
     * @param progress told what is measured next
     */
    public Benchmark(Device device, LayerShape shape, boolean quick, Consumer<String> progress) {
        this.device = device;
        this.shape = shape;
        this.clock = quick ? new Clock(device, 0, 1) : new Clock(device, 0.05, 3);
        this.progress = progress;
    }

    /** Measures the rates of memory and arithmetic, every kernel, and every step of a layer. */
    public BenchReport run() {
        progress.accept("copies and products");
        Rates rates = Rates.measure(device, clock, shape);
        List<Measurement> kernels = new ArrayList<>();
        cases(device, shape).forEach(toMeasure -> measure(toMeasure).ifPresent(kernels::add));
        progress.accept("ways to compute attention");
        List<Measurement> attention = ifItFits("ways to compute attention", this::attention);
        progress.accept("a decoder layer");
        List<Measurement> steps = ifItFits("the steps of a layer", () -> new LayerBench(device, shape).run());
        return new BenchReport(
                device.info(), device.blas().description(), shape, rates, kernels, attention, steps, leftOut);
    }

    private List<Measurement> attention() {
        try (BenchMemory memory = new BenchMemory(device)) {
            return new AttentionBench(device, shape, memory).compare(clock);
        }
    }

    private List<Measurement> ifItFits(String what, Supplier<List<Measurement>> measurements) {
        try {
            return measurements.get();
        } catch (DeviceOutOfMemoryException full) {
            leftOut.add(what);
            return List.of();
        }
    }

    /** Every kernel on shapes of a layer. */
    static Stream<KernelCase> cases(Device device, LayerShape shape) {
        return Stream.of(
                        ForwardCases.of(device, shape),
                        ExpertCases.of(device, shape),
                        ProductCases.of(device, shape),
                        QuantizationCases.of(device, shape),
                        AwqCases.of(device, shape),
                        ElementCases.of(device, shape),
                        GgmlCases.of(device, shape))
                .flatMap(List::stream);
    }

    private Optional<Measurement> measure(KernelCase toMeasure) {
        progress.accept(toMeasure.kernel());
        try (BenchMemory memory = new BenchMemory(device)) {
            Runnable launch = toMeasure.prepare().apply(memory);
            return Optional.of(
                    new Measurement(toMeasure.kernel(), toMeasure.shape(), clock.seconds(launch), toMeasure.work()));
        } catch (DeviceOutOfMemoryException full) {
            leftOut.add(toMeasure.kernel());
            return Optional.empty();
        }
    }
}
