package io.gpuquant.cli;

import io.gpuquant.hub.DownloadListener;
import io.gpuquant.hub.ModelReference;
import io.gpuquant.job.Sizes;
import java.io.PrintWriter;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;

/** Shows how a download goes on, on standard error: a bar on a terminal, a line for every tenth of it elsewhere. */
final class DownloadDisplay implements DownloadListener, AutoCloseable {

    private static final int STEPS = 10;

    private final StatusLines lines;
    private long total;
    private long done;
    private long stepsShown;

    DownloadDisplay(PrintWriter err, boolean quiet) {
        lines = new StatusLines(err, quiet);
    }

    @Override
    public void started(ModelReference model, int files, long bytes) {
        total = bytes;
        done = 0;
        stepsShown = 0;
        note("downloading " + model + ": " + files + (files == 1 ? " file, " : " files, ") + Sizes.format(bytes));
        if (lines.hasBar()) {
            bar();
        }
    }

    private ProgressBar bar() {
        return lines.bar(new ProgressBarBuilder()
                .setTaskName("download")
                .setInitialMax(total)
                .setUnit(" MiB", 1 << 20));
    }

    @Override
    public void received(long bytes) {
        done += bytes;
        if (lines.hasBar()) {
            bar().stepTo(done);
        } else if (total > 0 && done * STEPS / total > stepsShown) {
            stepsShown = done * STEPS / total;
            note("downloaded " + Sizes.format(done) + " of " + Sizes.format(total));
        }
    }

    @Override
    public void ended() {
        close();
    }

    @Override
    public void note(String line) {
        lines.say(line);
    }

    @Override
    public void close() {
        lines.close();
    }
}
