package io.gpuquant.cli;

import io.gpuquant.UsageException;
import io.gpuquant.device.Device;
import io.gpuquant.hub.Hub;
import io.gpuquant.job.Forecast;
import io.gpuquant.job.QuantizationJobOptions;
import io.gpuquant.job.Room;
import java.io.PrintWriter;
import java.lang.reflect.Field;
import java.util.List;
import java.util.Locale;
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
            out.println(PlanJson.of(forecast));
        } else {
            PlanText.print(forecast, out);
        }
        out.flush();
        forecast.requireRoom();
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
        List<String> absent = device.absentGpus();
        if (!absent.isEmpty()) {
            return Forecast.inRooms(
                    options,
                    absent.stream()
                            .map(id -> Room.ofGpu(id, device.memory, device.attention))
                            .toList());
        }
        List<Device> opened = device.openAll();
        try {
            return Forecast.onDevices(options, opened);
        } finally {
            opened.forEach(Device::close);
        }
    }
}
