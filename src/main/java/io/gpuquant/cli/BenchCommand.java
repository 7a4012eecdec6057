package io.gpuquant.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.UsageException;
import io.gpuquant.bench.BenchReport;
import io.gpuquant.bench.Benchmark;
import io.gpuquant.bench.LayerShape;
import io.gpuquant.bench.Measurement;
import io.gpuquant.bench.Rates;
import io.gpuquant.device.Device;
import java.io.PrintWriter;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code gpuquant bench}. */
@Command(
        name = "bench",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        sortOptions = false,
        description = {
            "Measures every kernel, and every step of quantizing a decoder layer, on a device.",
            "First the device's own rates are measured: bytes that a copy moves, operations of large matrix products. Each"
                    + " kernel's floor is the time that its bytes or operations would take at these rates; the table says how"
                    + " many times the floor it takes. On the processor kernels run on the virtual GPU, far from any floor."
        })
final class BenchCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Mixin
    private final DeviceOption target = new DeviceOption();

    @Option(names = "--quick", description = "Measure each kernel once and shortly.")
    private boolean quick;

    @Option(
            names = "--hidden",
            paramLabel = "N",
            description = "Hidden size of the layer. Default: 4096 on a GPU, 256 on the processor.")
    private @Nullable Integer hidden;

    @Option(
            names = "--intermediate",
            paramLabel = "N",
            description = "Intermediate size of the layer. Default: 14336 or 768.")
    private @Nullable Integer intermediate;

    @Option(names = "--heads", paramLabel = "N", description = "Attention heads. Default: 32 or 4.")
    private @Nullable Integer heads;

    @Option(names = "--key-heads", paramLabel = "N", description = "Heads of keys and values. Default: 8 or 2.")
    private @Nullable Integer keyHeads;

    @Option(
            names = "--tokens",
            paramLabel = "N",
            description = "Tokens that go through the layer. Default: 8192 or 256.")
    private @Nullable Integer tokens;

    @Option(names = "--sequence-length", paramLabel = "N", description = "Tokens of a sequence. Default: 2048 or 128.")
    private @Nullable Integer sequenceLength;

    @Mixin
    private final RunOptions run = new RunOptions();

    @Override
    public Integer call() {
        try (Device device = target.open()) {
            LayerShape shape = shape(device.info().kind().equals("host") ? LayerShape.SMALL : LayerShape.LLAMA_3_8B);
            PrintWriter progress = spec.commandLine().getErr();
            BenchReport report = new Benchmark(device, shape, quick, name -> {
                        if (!run.quiet) {
                            progress.println("measuring " + name);
                            progress.flush();
                        }
                    })
                    .run();
            PrintWriter out = spec.commandLine().getOut();
            if (run.json) {
                out.println(json(report));
            } else {
                print(report, out);
            }
            out.flush();
        }
        return 0;
    }

    private LayerShape shape(LayerShape usual) {
        try {
            return new LayerShape(
                    or(hidden, usual.hidden()),
                    or(intermediate, usual.intermediate()),
                    or(heads, usual.heads()),
                    or(keyHeads, usual.keyHeads()),
                    usual.vocabulary(),
                    or(tokens, usual.tokens()),
                    or(sequenceLength, usual.sequenceLength()));
        } catch (IllegalArgumentException wrong) {
            throw new UsageException("no such layer can be measured: " + wrong.getMessage()
                    + "; change --hidden, --intermediate, --heads, --key-heads, --tokens or --sequence-length");
        }
    }

    private static int or(@Nullable Integer given, int usual) {
        return given == null ? usual : given;
    }

    static void print(BenchReport report, PrintWriter out) {
        Rates rates = report.rates();
        out.println("device    " + report.device().id() + ", " + report.device().name());
        out.println("products  " + report.blas());
        out.println("layer     " + report.shape());
        out.println("copy      " + quantity(rates.bytesPerSecond()) + "B/s");
        out.println("float32   " + quantity(rates.floatsPerSecond()) + "FLOP/s");
        out.println("half      " + quantity(rates.halvesPerSecond()) + "FLOP/s");
        out.println();
        table("kernel", report.kernels(), rates).print(out);
        out.println();
        table("attention", report.attention(), rates).print(out);
        verdict(report).ifPresent(out::println);
        out.println();
        table("step", report.steps(), rates).print(out);
        out.println();
        out.println("one layer " + time(report.layerSeconds()));
        if (!report.leftOut().isEmpty()) {
            out.println("left out, for want of device memory: " + String.join(", ", report.leftOut()));
        }
    }

    /** Which way to compute attention takes the least time, and the option for it. */
    private static Optional<String> verdict(BenchReport report) {
        List<Measurement> ways = report.attention().stream()
                .sorted(Comparator.comparingDouble(Measurement::seconds))
                .toList();
        if (ways.isEmpty()) {
            return Optional.empty();
        }
        Measurement fastest = ways.getFirst();
        if (ways.size() == 1) {
            return Optional.of("only --attention " + fastest.name() + " can compute such heads here");
        }
        Measurement next = ways.get(1);
        return Optional.of(String.format(
                Locale.ROOT,
                "%s wins: %s takes %.2f times as long; use --attention %s",
                fastest.name(),
                next.name(),
                next.seconds() / fastest.seconds(),
                fastest.name()));
    }

    private static TextTable table(String what, List<Measurement> measurements, Rates rates) {
        TextTable table = new TextTable().row(what, "shape", "time", "achieved", "floor", "ratio");
        for (Measurement measurement : measurements) {
            double floor = measurement.work().floorSeconds(rates);
            table.row(
                    measurement.name(),
                    measurement.shape(),
                    time(measurement.seconds()),
                    floor > 0 ? achieved(measurement, rates) : "-",
                    floor > 0 ? time(floor) : "-",
                    floor > 0 ? String.format(Locale.ROOT, "%.2f", measurement.ratio(rates)) : "-");
        }
        return table;
    }

    private static String achieved(Measurement measurement, Rates rates) {
        return measurement.work().isArithmetic(rates)
                ? quantity(measurement.work().operations() / measurement.seconds()) + "FLOP/s"
                : quantity(measurement.work().bytes() / measurement.seconds()) + "B/s";
    }

    private static String time(double seconds) {
        if (seconds < 1e-3) {
            return String.format(Locale.ROOT, "%.1f us", seconds * 1e6);
        }
        return seconds < 1
                ? String.format(Locale.ROOT, "%.2f ms", seconds * 1e3)
                : String.format(Locale.ROOT, "%.2f s", seconds);
    }

    private static String quantity(double perSecond) {
        if (perSecond < 1e9) {
            return String.format(Locale.ROOT, "%.1f M", perSecond / 1e6);
        }
        return perSecond < 1e12
                ? String.format(Locale.ROOT, "%.1f G", perSecond / 1e9)
                : String.format(Locale.ROOT, "%.2f T", perSecond / 1e12);
    }

    private static String json(BenchReport report) {
        ObjectNode json = Json.object();
        json.putObject("device")
                .put("id", report.device().id())
                .put("name", report.device().name())
                .put("architecture", report.device().architecture())
                .put("driver", report.device().driver());
        json.put("products", report.blas());
        LayerShape shape = report.shape();
        json.putObject("layer")
                .put("hidden", shape.hidden())
                .put("intermediate", shape.intermediate())
                .put("heads", shape.heads())
                .put("key_heads", shape.keyHeads())
                .put("vocabulary", shape.vocabulary())
                .put("tokens", shape.tokens())
                .put("sequence_length", shape.sequenceLength());
        Rates rates = report.rates();
        json.putObject("rates")
                .put("bytes_per_second", rates.bytesPerSecond())
                .put("float32_per_second", rates.floatsPerSecond())
                .put("half_per_second", rates.halvesPerSecond());
        add(json.putArray("kernels"), report.kernels(), rates);
        add(json.putArray("attention"), report.attention(), rates);
        add(json.putArray("steps"), report.steps(), rates);
        json.put("layer_seconds", report.layerSeconds());
        ArrayNode leftOut = json.putArray("left_out");
        report.leftOut().forEach(leftOut::add);
        return Json.text(json);
    }

    private static void add(ArrayNode array, List<Measurement> measurements, Rates rates) {
        for (Measurement measurement : measurements) {
            array.addObject()
                    .put("name", measurement.name())
                    .put("shape", measurement.shape())
                    .put("seconds", measurement.seconds())
                    .put("bytes", measurement.work().bytes())
                    .put("operations", measurement.work().operations())
                    .put("floor_seconds", measurement.work().floorSeconds(rates))
                    .put("ratio", measurement.ratio(rates));
        }
    }
}
