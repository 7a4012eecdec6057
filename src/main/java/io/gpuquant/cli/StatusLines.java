package io.gpuquant.cli;

import io.gpuquant.device.DeviceInfo;
import java.io.Console;
import java.io.PrintWriter;
import java.util.Optional;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** Standard error while something goes on: lines, and on a terminal a bar; nothing at all where the user wants quiet. */
final class StatusLines implements AutoCloseable {

    private final PrintWriter err;
    private final boolean quiet;
    private final boolean terminal;
    private @Nullable ProgressBar bar;

    StatusLines(PrintWriter err, boolean quiet) {
        this.err = err;
        this.quiet = quiet;
        terminal =
                Optional.ofNullable(System.console()).map(Console::isTerminal).orElse(false);
    }

    boolean isQuiet() {
        return quiet;
    }

    /** Whether a bar is to be shown, and not a line now and then. */
    boolean hasBar() {
        return terminal && !quiet;
    }

    void say(String line) {
        if (!quiet) {
            err.println(line);
            err.flush();
        }
    }

    /** Says which device was opened, and why it is no GPU where the choice was ours. */
    void device(DeviceInfo device, DeviceOption wanted) {
        say("device: " + device.id() + ", " + device.name() + " (" + device.architecture() + "; " + device.driver()
                + ")");
        wanted.whyNoGpu(device).ifPresent(reason -> say("no GPU is used: " + reason));
    }

    /** The bar, which is made when it is first asked for. */
    ProgressBar bar(ProgressBarBuilder wanted) {
        ProgressBar shown = bar;
        if (shown == null) {
            shown = wanted.setStyle(ProgressBarStyle.ASCII).build();
            bar = shown;
        }
        return shown;
    }

    /** Ends the bar, if there is one; lines may follow. */
    @Override
    public void close() {
        ProgressBar shown = bar;
        if (shown != null) {
            shown.close();
            bar = null;
        }
    }
}
