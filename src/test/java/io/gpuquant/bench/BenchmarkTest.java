package io.gpuquant.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.gpuquant.device.ChangedDevice;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.Stream;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What is measured; how long it takes is nobody's business here. */
class BenchmarkTest {

    private static final Pattern ENTRY = Pattern.compile("^\\.visible \\.entry (\\w+)", Pattern.MULTILINE);

    private static final LayerShape TINY = new LayerShape(128, 128, 1, 1, 64, 32, 16);

    /** A new kernel needs a case in one of the files of cases. */
    @Test
    void measuresEveryKernelThatShipsByItsName() throws IOException {
        Set<String> shipped = new TreeSet<>();
        try (java.util.stream.Stream<Path> files = Files.list(Path.of("ptx"))) {
            for (Path file :
                    files.filter(name -> name.toString().endsWith(".ptx")).toList()) {
                Matcher entry = ENTRY.matcher(Files.readString(file));
                while (entry.find()) {
                    shipped.add(entry.group(1));
                }
            }
        }
        List<String> launched = new ArrayList<>();
        try (Device host = HostDevice.open(DeviceOptions.defaults())) {
            Device device = recording(host, launched);
            List<KernelCase> cases = Benchmark.cases(device, TINY).toList();
            assertThat(cases).extracting(KernelCase::kernel).containsExactlyInAnyOrderElementsOf(shipped);
            for (KernelCase each : cases) {
                try (BenchMemory memory = new BenchMemory(device)) {
                    Runnable launch = each.prepare().apply(memory);
                    launched.clear();
                    launch.run();
                    assertThat(launched).as(each.kernel()).isNotEmpty().containsOnly(each.kernel());
                }
            }
        }
    }

    @Test
    void measuresTheStepsOfALayerInTheirOrder() {
        try (Device device = HostDevice.open(DeviceOptions.defaults())) {
            long before = device.memory().heldBytes();
            BenchReport report = new Benchmark(device, TINY, true, name -> {}).run();

            assertThat(report.steps())
                    .extracting(Measurement::name)
                    .containsExactly(
                            "embed",
                            "norm",
                            "gram",
                            "gptq: order and damping",
                            "gptq: factorization",
                            "gptq: size of outputs",
                            "gptq: column loop",
                            "gptq: output errors",
                            "pack zero points",
                            "dequantize",
                            "product",
                            "rope",
                            "attention",
                            "residual",
                            "activation");
            assertThat(report.leftOut()).isEmpty();
            assertThat(report.attention()).extracting(Measurement::name).containsExactly("tiled");
            assertThat(report.kernels())
                    .allSatisfy(kernel -> assertThat(kernel.seconds()).isPositive());
            assertThat(report.rates().bytesPerSecond()).isPositive();
            assertThat(device.memory().heldBytes()).isEqualTo(before);
        }
    }

    @Test
    void comparesBothWaysToComputeAttentionWhereThereAreBoth() {
        try (Device host = HostDevice.open(DeviceOptions.defaults());
                BenchMemory memory = new BenchMemory(host)) {
            List<String> launched = new ArrayList<>();
            Device device = ChangedDevice.with(recording(host, launched), "operandType", DType.BF16);

            List<Measurement> ways = new AttentionBench(device, TINY, memory).compare(new Clock(device, 0, 1));

            assertThat(ways).extracting(Measurement::name).containsExactly("tiled", "fused");
            assertThat(ways).extracting(Measurement::shape).containsOnly("32 tokens, 1 heads of 128 BF16");
            assertThat(ways).allSatisfy(way -> assertThat(way.seconds()).isPositive());
            assertThat(launched).contains("softmax_causal", "attention_bf16_128");
        }
    }

    @Test
    void leavesOutWhatDoesNotFit() {
        try (Device device = HostDevice.open(new DeviceOptions(600_000, 1))) {
            BenchReport report = new Benchmark(device, TINY, true, name -> {}).run();

            assertThat(report.leftOut()).contains("the steps of a layer").doesNotContain("rms_norm");
        }
    }

    @Test
    void floorsAreThoseOfMemoryOrOfArithmetic() {
        Rates rates = new Rates(1e9, 1e10, 1e11);

        assertThat(new Work(2e9, 1e10, 0).floorSeconds(rates)).isCloseTo(2, within(1e-9));
        assertThat(new Work(2e9, 1e10, 2e11).floorSeconds(rates)).isCloseTo(3, within(1e-9));
        assertThat(new Work(2e9, 1e10, 0).isArithmetic(rates)).isFalse();
        assertThat(new Work(2e9, 1e10, 2e11).isArithmetic(rates)).isTrue();
        assertThat(new Measurement("a", "b", 3, Work.ofBytes(1e9)).ratio(rates)).isCloseTo(3, within(1e-9));
        assertThat(new Measurement("a", "b", 3, Work.NONE).ratio(rates)).isZero();
    }

    @Test
    void refusesLayersThatAreNone() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new LayerShape(100, 128, 1, 1, 1, 1, 1))
                .withMessageContaining("multiples of 128");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new LayerShape(128, 128, 3, 1, 1, 1, 1))
                .withMessageContaining("in 3 heads");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new LayerShape(128, 128, 1, 1, 1, 10, 4))
                .withMessageContaining("in sequences of 4");
    }

    /** The device, whose stream notes the names of the kernels it launches. */
    private static Device recording(Device device, List<String> launched) {
        Stream stream = proxy(Stream.class, device.stream(), (method, arguments) -> {
            if (method.equals("launch")) {
                launched.add(((KernelEntry) arguments[0]).name());
            }
            return null;
        });
        return proxy(Device.class, device, (method, arguments) -> method.equals("stream") ? stream : null);
    }

    /** What to return in the place of what the object would; null for that. */
    private interface Interception {
        @Nullable
        Object before(String method, Object[] arguments);
    }

    private static <T> T proxy(Class<T> type, T object, Interception interception) {
        return type.cast(Proxy.newProxyInstance(
                BenchmarkTest.class.getClassLoader(), new Class<?>[] {type}, (self, method, arguments) -> {
                    Object instead = interception.before(method.getName(), arguments);
                    if (instead != null) {
                        return instead;
                    }
                    try {
                        return method.invoke(object, arguments);
                    } catch (InvocationTargetException failure) {
                        throw failure.getCause();
                    }
                }));
    }
}
