package io.gpuquant.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.calibration.CalibrationReport;
import io.gpuquant.job.ElementJob;
import io.gpuquant.job.ElementJobOptions;
import io.gpuquant.job.ElementResult;
import io.gpuquant.job.Sizes;
import io.gpuquant.quantize.LinearReport;
import java.io.PrintWriter;
import java.util.Locale;
import picocli.CommandLine;

/** Runs an encoding for a command, with progress and a summary. */
final class ElementRun {

    private final CommandLine command;
    private final DeviceOption device;
    private final RunOptions run;

    ElementRun(CommandLine command, DeviceOption device, RunOptions run) {
        this.command = command;
        this.device = device;
        this.run = run;
    }

    int run(ElementJobOptions options) {
        long start = System.nanoTime();
        ElementResult result;
        try (ProgressDisplay progress = new ProgressDisplay(command.getErr(), run.quiet, device)) {
            result = new ElementJob(options, device::open, progress).run();
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        if (run.json) {
            command.getOut().println(json(result, seconds));
        } else {
            print(result, seconds, command.getOut());
        }
        command.getOut().flush();
        return 0;
    }

    private static void print(ElementResult result, double seconds, PrintWriter out) {
        TextTable table = new TextTable();
        table.row("output", result.output().toString());
        table.row("format", result.plan().scheme().describe());
        table.row(
                "size",
                Sizes.format(result.outputBytes()) + ", was " + Sizes.format(result.sourceBytes())
                        + String.format(
                                Locale.ROOT, " (%.2f x)", (double) result.sourceBytes() / result.outputBytes()));
        table.row("linears", result.reports().size() + " quantized");
        CalibrationReport calibration = result.calibration();
        if (calibration != null) {
            table.row("calibration", QuantizationRun.describe(calibration));
        }
        table.row("relative error", QuantizationRun.errors(result.reports()));
        table.row("verified", result.verifiedTensors() + " tensors read back");
        table.row("time", String.format(Locale.ROOT, "%.1f s", seconds));
        table.row("device memory", Sizes.format(result.peakDeviceBytes()) + " at most");
        table.print(out);
    }

    private static String json(ElementResult result, double seconds) {
        ObjectNode json = Json.object();
        json.put("output", result.output().toString());
        json.put("method", result.plan().options().command());
        json.put("format", result.plan().scheme().describe());
        json.put("bits", result.plan().scheme().bits());
        json.put("source_bytes", result.sourceBytes());
        json.put("output_bytes", result.outputBytes());
        json.put("seconds", seconds);
        json.put("peak_device_bytes", result.peakDeviceBytes());
        json.put("verified_tensors", result.verifiedTensors());
        QuantizationRun.addCalibration(json, result.calibration());
        ArrayNode linears = json.putArray("linears");
        for (LinearReport report : result.reports()) {
            linears.addObject().put("name", report.name()).put("relative_error", report.error());
        }
        result.plan().warnings().forEach(json.putArray("warnings")::add);
        return Json.text(json);
    }
}
