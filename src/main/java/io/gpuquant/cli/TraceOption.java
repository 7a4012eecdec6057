package io.gpuquant.cli;

import io.gpuquant.device.Device;
import io.gpuquant.device.trace.ChromeTrace;
import io.gpuquant.device.trace.TracedDevice;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The option of a timeline. */
final class TraceOption {

    @Option(
            names = "--trace",
            paramLabel = "FILE",
            description = "Write a timeline of the run, for chrome://tracing or Perfetto.")
    @Nullable
    Path file;

    /** A timeline that is written when it is closed, or none. */
    record Timeline(@Nullable ChromeTrace trace) implements AutoCloseable {

        /** The device, whose work is noted if there is a timeline. */
        Device watch(Device device) {
            return trace == null ? device : new TracedDevice(device, trace);
        }

        @Override
        public void close() {
            if (trace != null) {
                trace.close();
            }
        }
    }

    Timeline start() {
        return new Timeline(file == null ? null : ChromeTrace.to(file));
    }
}
