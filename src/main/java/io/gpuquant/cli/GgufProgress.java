package io.gpuquant.cli;

import io.gpuquant.device.DeviceInfo;
import io.gpuquant.job.GgufListener;
import io.gpuquant.job.GgufPlan;
import io.gpuquant.job.Sizes;
import java.io.Console;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.Optional;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** Shows how the making of a GGUF file goes on: a bar on a terminal, a line for every tenth of it elsewhere. */
final class GgufProgress implements GgufListener, AutoCloseable {

    private static final int PARTS = 10;

    private final PrintWriter err;
    private final boolean quiet;
    private final boolean terminal;
    private final long start = System.nanoTime();
    private @Nullable ProgressBar bar;
    private long parts;

    GgufProgress(PrintWriter err, boolean quiet) {
        this.err = err;
        this.quiet = quiet;
        terminal =
                Optional.ofNullable(System.console()).map(Console::isTerminal).orElse(false);
    }

    @Override
    public void planned(GgufPlan plan) {
        plan.warnings().forEach(warning -> say("warning: " + warning));
        plan.fallbacks().forEach(fallback -> say("note: " + fallback.sentence()));
    }

    @Override
    public void deviceOpened(DeviceInfo device) {
        say("device: " + device.id() + ", " + device.name() + " (" + device.architecture() + "; " + device.driver()
                + ")");
    }

    @Override
    public void startedAnew(int tensorsLost) {
        say("starting anew: the unfinished output, with " + tensorsLost
                + " tensors done, was of other options or another model");
    }

    @Override
    public void resumed(int tensorsDone) {
        say("resuming: " + tensorsDone + " tensors are done already");
    }

    @Override
    public void tensorDone(int done, int total, long bytesDone, long bytesTotal) {
        if (quiet) {
            return;
        }
        if (terminal) {
            ProgressBar shown = bar;
            if (shown == null) {
                shown = new ProgressBarBuilder()
                        .setTaskName("tensors")
                        .setInitialMax(total)
                        .setStyle(ProgressBarStyle.ASCII)
                        .build();
                bar = shown;
            }
            shown.stepTo(done);
            return;
        }
        long part = PARTS * bytesDone / bytesTotal;
        if (part > parts) {
            parts = part;
            double seconds = (System.nanoTime() - start) / 1e9;
            say(done + " of " + total + " tensors, " + Sizes.format(bytesDone)
                    + (done == total
                            ? ""
                            : String.format(
                                    Locale.ROOT, ", %.0f s left", seconds * (bytesTotal - bytesDone) / bytesDone)));
        }
    }

    @Override
    public void verifying() {
        close();
        say("verifying");
    }

    private void say(String line) {
        if (!quiet) {
            err.println(line);
            err.flush();
        }
    }

    @Override
    public void close() {
        ProgressBar shown = bar;
        if (shown != null) {
            shown.close();
            bar = null;
        }
    }
}
