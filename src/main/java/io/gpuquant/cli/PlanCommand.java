package io.gpuquant.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.UsageException;
import io.gpuquant.device.Device;
import io.gpuquant.hub.Hub;
import io.gpuquant.job.Forecast;
import io.gpuquant.job.MemoryPlan;
import io.gpuquant.job.QuantizationJobOptions;
import io.gpuquant.job.Room;
import io.gpuquant.job.Sizes;
import io.gpuquant.model.ActivationStore.Placement;
import io.gpuquant.model.ModelConfig;
import java.io.PrintWriter;
import java.lang.reflect.Field;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code gpuquant plan}. Its {@code --version} is that of {@code awq}: the layout. */
@Command(
        name = "plan",
        sortOptions = false,
        description =
                "Says what gptq or awq with the same options would hold in device memory, step by step, and whether it fits."
                        + " Needs of the model only its config.json; for a GPU that is not here, give --device cuda"
                        + " --device-memory SIZE. Exit code 4 when it does not fit.")
final class PlanCommand implements Callable<Integer> {

    private static final int HOLDINGS_SHOWN = 4;

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Mixin
    private final OutputOption output = new OutputOption(Hub.Parts.CONFIGURATION);

    @Mixin
    private final FormatOption format = new FormatOption();

    @Option(
            names = "--method",
            paramLabel = "gptq|awq",
            defaultValue = "GPTQ",
            description = "What to plan; takes the options of that command. Default: gptq.")
    private Method method = Method.GPTQ;

    @Mixin
    private final GptqOption gptq = new GptqOption();

    @Mixin
    private final AwqOption awq = new AwqOption();

    @Mixin
    private final CalibrationOption calibration = new SharedCalibrationOption();

    @Mixin
    private final ForwardDeviceOption device = new ForwardDeviceOption();

    @Mixin
    private final RunOptions run = new RunOptions();

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Show this help message and exit.")
    private boolean help;

    /** What can be planned. */
    private enum Method {
        GPTQ,
        AWQ
    }

    @Override
    public Integer call() {
        output.check();
        Forecast forecast = forecast(options());
        PrintWriter out = spec.commandLine().getOut();
        if (run.json) {
            out.println(json(forecast));
        } else {
            print(forecast, out);
        }
        out.flush();
        forecast.memory().requireRoom();
        return 0;
    }

    private QuantizationJobOptions options() {
        return switch (method) {
            case GPTQ -> {
                refuseOptionsOf(awq);
                yield gptq.toOptions(output, format, calibration);
            }
            case AWQ -> {
                refuseOptionsOf(gptq);
                yield awq.toOptions(output, format, calibration);
            }
        };
    }

    private void refuseOptionsOf(Object other) {
        for (OptionSpec option : spec.commandLine().getParseResult().matchedOptions()) {
            if (option.userObject() instanceof Field field && field.getDeclaringClass() == other.getClass()) {
                throw new UsageException(option.longestName() + " is not an option of "
                        + method.name().toLowerCase(Locale.ROOT) + "; leave it out, or give the other --method");
            }
        }
    }

    private Forecast forecast(QuantizationJobOptions options) {
        if (device.isAbsentGpu()) {
            return Forecast.of(options, Room.ofGpu(device.memory, device.attention));
        }
        try (Device opened = device.open()) {
            return Forecast.of(options, opened);
        }
    }

    private static void print(Forecast forecast, PrintWriter out) {
        MemoryPlan memory = forecast.memory();
        ModelConfig model = forecast.structure().config();
        TextTable facts = new TextTable();
        facts.row(
                "model",
                model.family().modelType() + ", " + model.numHiddenLayers() + " layers of width " + model.hiddenSize()
                        + " and " + model.intermediateSize() + ", " + forecast.storedType());
        facts.row(
                "device",
                memory.room().info().id() + ", " + memory.room().info().name() + ", products of "
                        + memory.room().operandType().apply(forecast.storedType()));
        facts.row(
                "calibration",
                memory.chunking().sequences() + " sequences of "
                        + memory.chunking().sequenceLength() + " tokens, "
                        + memory.chunking().perChunk() + " at once");
        facts.row("activations", placements(memory));
        facts.row(
                "weights",
                memory.prefetch()
                        ? "two layers on the device at once, the next one loaded ahead"
                        : "one layer on the device at once");
        forecast.bytes()
                .ifPresent(bytes -> facts.row(
                        "output",
                        Sizes.format(bytes.output()) + " of tensors, the model has " + Sizes.format(bytes.source())));
        facts.row("matrix products", products(forecast));
        facts.row(
                "device memory",
                Sizes.format(memory.peakBytes()) + " at most, of "
                        + Sizes.format(memory.room().availableBytes()) + ": "
                        + (memory.fits() ? "fits" : "does not fit"));
        facts.print(out);
        TextTable stages = new TextTable().row("step", "at most", "held");
        memory.stages()
                .forEach(stage ->
                        stages.row(stage.name(), Sizes.format(stage.peakBytes()), stage.describe(HOLDINGS_SHOWN)));
        stages.print(out);
        forecast.warnings().forEach(warning -> out.println("warning: " + warning));
    }

    private static String products(Forecast forecast) {
        String all = String.format(Locale.ROOT, "%.2f TFLOP in all", forecast.operations() / 1e12);
        OptionalDouble seconds = forecast.secondsOfProducts();
        return seconds.isEmpty()
                ? all
                : all
                        + String.format(
                                Locale.ROOT,
                                ", %.1f s at the %.3g TFLOP/s measured here",
                                seconds.getAsDouble(),
                                forecast.operationsPerSecond().getAsDouble() / 1e12);
    }

    private static String placements(MemoryPlan memory) {
        MemoryPlan.Placements placements = memory.placements();
        return "residual stream " + place(placements.hidden()) + ", attention results "
                + place(placements.stages().attention()) + ", activated gates "
                + place(placements.stages().mlp())
                + (memory.hostBytes() == 0 ? "" : " (" + Sizes.format(memory.hostBytes()) + " of host memory)");
    }

    private static String place(Placement placement) {
        return switch (placement) {
            case DEVICE -> "on the device";
            case HOST -> "on the host";
        };
    }

    private static String json(Forecast forecast) {
        MemoryPlan memory = forecast.memory();
        ObjectNode json = Json.object();
        json.put("device", memory.room().info().id());
        json.put("weight_type", forecast.storedType().name());
        json.put(
                "operand_type",
                memory.room().operandType().apply(forecast.storedType()).name());
        json.put("fits", memory.fits());
        json.put("peak_device_bytes", memory.peakBytes());
        json.put("available_device_bytes", memory.room().availableBytes());
        json.put("host_bytes", memory.hostBytes());
        json.put("prefetch", memory.prefetch());
        json.put("matrix_product_operations", forecast.operations());
        forecast.secondsOfProducts().ifPresent(seconds -> json.put("matrix_product_seconds", seconds));
        json.putObject("calibration")
                .put("sequences", memory.chunking().sequences())
                .put("sequence_length", memory.chunking().sequenceLength())
                .put("sequences_per_chunk", memory.chunking().perChunk())
                .put("chunks", memory.chunking().count())
                .put("tokens_per_chunk", memory.chunking().mostTokens());
        json.putObject("placements")
                .put("residual_stream", memory.placements().hidden().name().toLowerCase(Locale.ROOT))
                .put(
                        "attention_results",
                        memory.placements().stages().attention().name().toLowerCase(Locale.ROOT))
                .put(
                        "activated_gates",
                        memory.placements().stages().mlp().name().toLowerCase(Locale.ROOT));
        ArrayNode stages = json.putArray("steps");
        memory.stages().forEach(stage -> {
            ObjectNode entry = stages.addObject().put("name", stage.name()).put("peak_device_bytes", stage.peakBytes());
            ObjectNode held = entry.putObject("held");
            stage.holdings().forEach(holding -> held.put(holding.name(), holding.bytes()));
        });
        forecast.bytes()
                .ifPresent(bytes -> json.put("source_bytes", bytes.source()).put("output_bytes", bytes.output()));
        ArrayNode warnings = json.putArray("warnings");
        forecast.warnings().forEach(warnings::add);
        return Json.text(json);
    }
}
