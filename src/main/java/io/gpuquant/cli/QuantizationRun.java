package io.gpuquant.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.calibration.CalibrationReport;
import io.gpuquant.gguf.ImportanceMatrix;
import io.gpuquant.job.JobResult;
import io.gpuquant.job.QuantizationJob;
import io.gpuquant.job.QuantizationJobOptions;
import io.gpuquant.job.Sizes;
import io.gpuquant.quantize.LinearReport;
import io.gpuquant.quantize.ScaleReport;
import java.io.PrintWriter;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;

/** Runs a quantization job for a command, with progress and a summary. */
final class QuantizationRun {

    private static final int WORST_SHOWN = 3;

    private final CommandLine command;
    private final DeviceOption device;
    private final TraceOption trace;
    private final RunOptions run;

    QuantizationRun(CommandLine command, DeviceOption device, TraceOption trace, RunOptions run) {
        this.command = command;
        this.device = device;
        this.trace = trace;
        this.run = run;
    }

    int run(QuantizationJobOptions options) {
        long start = System.nanoTime();
        JobResult result;
        try (ProgressDisplay progress = new ProgressDisplay(command.getErr(), run.quiet, device);
                TraceOption.Timeline timeline = trace.start()) {
            result = QuantizationJob.onSeveral(
                            options,
                            () -> device.openAll().stream().map(timeline::watch).toList(),
                            progress)
                    .run();
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        ImportanceMatrix matrix = result.importance();
        Optional<ImportanceText> importance =
                matrix == null ? Optional.empty() : options.importance().map(file -> new ImportanceText(file, matrix));
        if (run.json) {
            command.getOut().println(json(result, importance, seconds));
        } else {
            print(result, importance, seconds, command.getOut());
        }
        command.getOut().flush();
        return 0;
    }

    private static void print(JobResult result, Optional<ImportanceText> importance, double seconds, PrintWriter out) {
        TextTable table = new TextTable();
        table.row("output", result.output().toString());
        table.row(
                "size",
                Sizes.format(result.outputBytes()) + ", was " + Sizes.format(result.sourceBytes())
                        + String.format(
                                Locale.ROOT, " (%.2f x)", (double) result.sourceBytes() / result.outputBytes()));
        table.row("linears", summary(result.reports()));
        CalibrationReport calibration = result.calibration();
        if (calibration != null) {
            table.row("calibration", describe(calibration));
        }
        table.row("relative error", errors(result.reports()));
        if (!result.scales().isEmpty()) {
            table.row("scales", scales(result.scales()));
        }
        importance.ifPresent(made -> table.row("importance", made.summary()));
        table.row("verified", result.verifiedTensors() + " tensors read back");
        table.row(
                "time",
                String.format(Locale.ROOT, "%.1f s", seconds)
                        + (result.resumedLayers() > 0 ? ", after resuming at layer " + result.resumedLayers() : ""));
        table.row("device memory", Sizes.format(result.peakDeviceBytes()) + " at most");
        table.print(out);
        importance.flatMap(ImportanceText::unseen).ifPresent(unseen -> out.println("note: " + unseen));
        result.reports().stream()
                .filter(report -> !report.note().isEmpty())
                .forEach(report -> out.println("note: " + report.name() + ": " + report.note()));
    }

    static String describe(CalibrationReport calibration) {
        return calibration.sequencesUsed() + " of " + calibration.sequencesAvailable() + " sequences of "
                + calibration.sequenceLength() + " tokens from "
                + calibration.file().getFileName() + " ("
                + calibration.documents() + " documents, " + calibration.tokens() + " tokens)";
    }

    private static String summary(List<LinearReport> reports) {
        long fallbacks =
                reports.stream().filter(report -> report.method().equals("rtn")).count();
        return reports.size() + " quantized"
                + (fallbacks > 0 && fallbacks < reports.size() ? ", " + fallbacks + " of them rounded to nearest" : "");
    }

    static String errors(List<LinearReport> reports) {
        double mean =
                reports.stream().mapToDouble(LinearReport::error).average().orElse(0);
        String worst = reports.stream()
                .sorted(Comparator.comparingDouble(LinearReport::error).reversed())
                .limit(WORST_SHOWN)
                .map(report -> String.format(Locale.ROOT, "%s %.2g", report.name(), report.error()))
                .reduce((a, b) -> a + ", " + b)
                .orElse("");
        return String.format(Locale.ROOT, "%.3g on average; most: ", mean) + worst;
    }

    private static String scales(List<ScaleReport> scales) {
        long scaled = scales.stream().filter(report -> report.ratio() != null).count();
        double left =
                scales.stream().mapToDouble(ScaleReport::lossLeft).average().orElse(1);
        return scaled + " of " + scales.size() + " groups scaled, "
                + String.format(Locale.ROOT, "%.0f %% of the loss left on average", 100 * left);
    }

    private static String json(JobResult result, Optional<ImportanceText> importance, double seconds) {
        ObjectNode json = Json.object();
        json.put("output", result.output().toString());
        json.put("method", result.plan().options().method().name());
        json.put("bits", result.plan().scheme().bits());
        json.put("group_size", result.plan().scheme().groupSize());
        json.put("source_bytes", result.sourceBytes());
        json.put("output_bytes", result.outputBytes());
        json.put("seconds", seconds);
        json.put("resumed_layers", result.resumedLayers());
        json.put("peak_device_bytes", result.peakDeviceBytes());
        json.put("verified_tensors", result.verifiedTensors());
        addCalibration(json, result.calibration());
        importance.ifPresent(made -> json.set("importance", made.json()));
        ArrayNode linears = json.putArray("linears");
        for (LinearReport report : result.reports()) {
            linears.addObject()
                    .put("name", report.name())
                    .put("method", report.method())
                    .put("relative_error", report.error())
                    .put("damping", report.damping())
                    .put("dead_input_features", report.deadFeatures())
                    .put("note", report.note());
        }
        if (!result.scales().isEmpty()) {
            ArrayNode scales = json.putArray("scales");
            for (ScaleReport report : result.scales()) {
                ObjectNode scale = scales.addObject();
                scale.put("previous", report.previous());
                report.linears().forEach(scale.putArray("linears")::add);
                scale.put("ratio", report.ratio());
                scale.put("loss_without", report.lossWithout());
                scale.put("loss", report.loss());
            }
        }
        ArrayNode warnings = json.putArray("warnings");
        result.plan().warnings().forEach(warnings::add);
        return Json.text(json);
    }

    static void addCalibration(ObjectNode json, @Nullable CalibrationReport calibration) {
        if (calibration != null) {
            json.putObject("calibration")
                    .put("file", calibration.file().toString())
                    .put("documents", calibration.documents())
                    .put("tokens", calibration.tokens())
                    .put("sequence_length", calibration.sequenceLength())
                    .put("sequences_available", calibration.sequencesAvailable())
                    .put("sequences_used", calibration.sequencesUsed())
                    .put("coverage", calibration.coverage())
                    .put("seed", calibration.seed());
        }
    }
}
