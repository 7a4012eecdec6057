package io.gpuquant.cli;

import io.gpuquant.hub.DownloadListener;
import io.gpuquant.hub.ModelReference;
import io.gpuquant.job.Sizes;
import java.io.Console;
import java.io.PrintWriter;
import java.util.Optional;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** Shows how a download goes on, on standard error: a bar on a terminal, a line for every tenth of it elsewhere. */
final class DownloadDisplay implements DownloadListener, AutoCloseable {

    private static final int STEPS = 10;

    private final PrintWriter err;
    private final boolean quiet;
    private final boolean terminal;
    private @Nullable ProgressBar bar;
    private long total;
    private long done;
    private long stepsShown;

    DownloadDisplay(PrintWriter err, boolean quiet) {
        this.err = err;
        this.quiet = quiet;
        terminal =
                Optional.ofNullable(System.console()).map(Console::isTerminal).orElse(false);
    }

    @Override
    public void started(ModelReference model, int files, long bytes) {
        total = bytes;
        done = 0;
        stepsShown = 0;
        note("downloading " + model + ": " + files + (files == 1 ? " file, " : " files, ") + Sizes.format(bytes));
        if (terminal && !quiet) {
            bar = new ProgressBarBuilder()
                    .setTaskName("download")
                    .setInitialMax(bytes)
                    .setUnit(" MiB", 1 << 20)
                    .setStyle(ProgressBarStyle.ASCII)
                    .build();
        }
    }

    @Override
    public void received(long bytes) {
        done += bytes;
        ProgressBar shown = bar;
        if (shown != null) {
            shown.stepTo(done);
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
