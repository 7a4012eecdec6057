package io.gpuquant.cli;

import io.gpuquant.calibration.CalibrationReport;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.job.JobListener;
import io.gpuquant.job.MemoryPlan;
import io.gpuquant.job.QuantizationPlan;
import io.gpuquant.job.Sizes;
import io.gpuquant.quantize.LinearReport;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;

/** Shows how a job goes on, on standard error: a bar on a terminal, a line per layer elsewhere. */
final class ProgressDisplay implements JobListener, AutoCloseable {

    private final DeviceOption wanted;
    private final StatusLines lines;
    private final long start = System.nanoTime();
    private double layerError;
    private int layerLinears;
    private int resumed;

    ProgressDisplay(PrintWriter err, boolean quiet, DeviceOption wanted) {
        this.wanted = wanted;
        lines = new StatusLines(err, quiet);
    }

    @Override
    public void planned(QuantizationPlan plan) {
        planned(plan.warnings());
    }

    @Override
    public void planned(List<String> warnings) {
        warnings.forEach(warning -> lines.say("warning: " + warning));
    }

    @Override
    public void deviceOpened(DeviceInfo device) {
        lines.device(device, wanted);
    }

    @Override
    public void calibrated(CalibrationReport report) {
        lines.say("calibration: " + report.sequencesUsed() + " sequences of " + report.sequenceLength()
                + " tokens from " + report.file().getFileName());
    }

    @Override
    public void forecast(MemoryPlan memory) {
        lines.say("memory of " + memory.room().info().id() + ": " + Sizes.format(memory.peakBytes()) + " at most, of "
                + Sizes.format(memory.room().availableBytes())
                + (memory.hostBytes() == 0
                        ? ""
                        : "; activations take " + Sizes.format(memory.hostBytes()) + " of host memory"));
    }

    @Override
    public void startedAnew(int layersLost) {
        lines.say("starting anew: the unfinished output, with " + layersLost
                + " layers done, was of other options, another text or another model");
    }

    @Override
    public void resumed(int layersDone) {
        resumed = layersDone;
        lines.say("resuming: " + layersDone + " layers are done already");
    }

    @Override
    public void linearDone(LinearReport report) {
        layerError += report.error();
        layerLinears++;
    }

    @Override
    public void layerDone(int done, int total) {
        if (lines.isQuiet()) {
            return;
        }
        String error = layerLinears == 0
                ? "passed through"
                : String.format(Locale.ROOT, "relative error %.3g", layerError / layerLinears);
        layerError = 0;
        layerLinears = 0;
        if (!lines.hasBar()) {
            lines.say("layer " + done + "/" + total + ": " + error + eta(done, total));
            return;
        }
        ProgressBar shown =
                lines.bar(new ProgressBarBuilder().setTaskName("layers").setInitialMax(total));
        shown.setExtraMessage(error);
        shown.stepTo(done);
    }

    private String eta(int done, int total) {
        int here = done - resumed;
        if (here < 1 || done == total) {
            return "";
        }
        double perLayer = (System.nanoTime() - start) / 1e9 / here;
        return String.format(Locale.ROOT, ", %.0f s left", perLayer * (total - done));
    }

    @Override
    public void verifying() {
        close();
        lines.say("verifying");
    }

    @Override
    public void close() {
        lines.close();
    }
}
