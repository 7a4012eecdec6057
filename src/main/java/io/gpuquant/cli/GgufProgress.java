package io.gpuquant.cli;

import io.gpuquant.device.DeviceInfo;
import io.gpuquant.job.GgufListener;
import io.gpuquant.job.GgufPlan;
import io.gpuquant.job.Sizes;
import java.io.PrintWriter;
import java.util.Locale;
import me.tongfei.progressbar.ProgressBarBuilder;

/** Shows how the making of a GGUF file goes on: a bar on a terminal, a line for every tenth of it elsewhere. */
final class GgufProgress implements GgufListener, AutoCloseable {

    private static final int PARTS = 10;

    private final DeviceOption wanted;
    private final StatusLines lines;
    private final long start = System.nanoTime();
    private long parts;

    GgufProgress(PrintWriter err, boolean quiet, DeviceOption wanted) {
        this.wanted = wanted;
        lines = new StatusLines(err, quiet);
    }

    @Override
    public void planned(GgufPlan plan) {
        plan.warnings().forEach(warning -> lines.say("warning: " + warning));
        plan.fallbacks().forEach(fallback -> lines.say("note: " + fallback.sentence()));
    }

    @Override
    public void deviceOpened(DeviceInfo device) {
        lines.device(device, wanted);
    }

    @Override
    public void startedAnew(int tensorsLost) {
        lines.say("starting anew: the unfinished output, with " + tensorsLost
                + " tensors done, was of other options or another model");
    }

    @Override
    public void resumed(int tensorsDone) {
        lines.say("resuming: " + tensorsDone + " tensors are done already");
    }

    @Override
    public void tensorDone(int done, int total, long bytesDone, long bytesTotal) {
        if (lines.isQuiet()) {
            return;
        }
        if (lines.hasBar()) {
            lines.bar(new ProgressBarBuilder().setTaskName("tensors").setInitialMax(total))
                    .stepTo(done);
            return;
        }
        long part = PARTS * bytesDone / bytesTotal;
        if (part > parts) {
            parts = part;
            double seconds = (System.nanoTime() - start) / 1e9;
            lines.say(done + " of " + total + " tensors, " + Sizes.format(bytesDone)
                    + (done == total
                            ? ""
                            : String.format(
                                    Locale.ROOT, ", %.0f s left", seconds * (bytesTotal - bytesDone) / bytesDone)));
        }
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
