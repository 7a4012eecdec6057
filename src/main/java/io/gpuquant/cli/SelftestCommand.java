package io.gpuquant.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.VerificationException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceProvider;
import io.gpuquant.device.Devices;
import io.gpuquant.kernels.selftest.Finding;
import io.gpuquant.kernels.selftest.Report;
import io.gpuquant.kernels.selftest.SelfTest;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Function;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code gpuquant selftest}. */
@Command(
        name = "selftest",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        sortOptions = false,
        description = {
            "Runs every kernel on a device and compares it with the virtual GPU.",
            "Copies, streams, memory and the library for matrix products are compared with plain Java. Results of"
                    + " class A must be equal in every bit; those of class B, which come from approximate instructions"
                    + " and matrix units, must stay within a bound. Ends with exit code 5 if anything is wrong."
        })
final class SelftestCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Mixin
    private final DeviceOption target = new DeviceOption();

    @Mixin
    private final RunOptions run = new RunOptions();

    private final Function<Device, Report> tester;

    /** Called by picocli. */
    SelftestCommand() {
        this(SelfTest::run);
    }

    /** With a tester of devices that may be wrong, for tests. */
    SelftestCommand(Function<Device, Report> tester) {
        this.tester = tester;
    }

    @Override
    public Integer call() {
        Report report;
        try (Device device = target.open()) {
            if (!run.json && !run.quiet) {
                noGpuNote(target.device, device, Devices.installed().providers())
                        .ifPresent(note -> {
                            spec.commandLine().getErr().println(note);
                            spec.commandLine().getErr().flush();
                        });
            }
            report = tester.apply(device);
        }
        print(report, spec.commandLine().getOut(), run.json);
        report.firstFailure().ifPresent(failure -> {
            throw new VerificationException(sentence(report, failure));
        });
        return 0;
    }

    /** Says that the processor is tested because there is nothing else, if that is so. */
    static Optional<String> noGpuNote(String selector, Device device, List<DeviceProvider> providers) {
        return DeviceOption.whyNoGpu(selector, device.info(), providers)
                .map(reason -> "No GPU was found (" + reason
                        + "), so the processor is tested, which runs the same kernels on a virtual GPU.");
    }

    static void print(Report report, PrintWriter out, boolean asJson) {
        if (asJson) {
            out.println(json(report));
        } else {
            printTable(report, out);
        }
        out.flush();
    }

    /** What is wrong, and what to do. */
    static String sentence(Report report, Finding failure) {
        String id = report.device().id();
        return failure.name() + " fails on " + id + " (" + report.device().name() + "): "
                + failure.failure().orElseThrow()
                + (report.device().kind().equals("host")
                        ? "; install gpuquant again, and report this if it stays"
                        : "; do not quantize on this device before its driver has been updated, or report this if it"
                                + " stays");
    }

    private static void printTable(Report report, PrintWriter out) {
        out.println(
                "device     " + report.device().id() + ", " + report.device().name());
        out.println("capability " + report.device().architecture());
        out.println("driver     " + report.device().driver());
        out.println("products   " + report.blas());
        out.println("reference  " + report.reference());
        out.println();
        TextTable table = new TextTable().row("kernel or service", "cases", "class", "deviation", "of allowed", "");
        for (Finding finding : report.findings()) {
            table.row(
                    finding.name(),
                    String.valueOf(finding.cases()),
                    String.valueOf(finding.accuracy().letter()),
                    String.format(Locale.ROOT, "%.2g", finding.largestDeviation()),
                    finding.accuracy().letter() == 'A'
                            ? "-"
                            : String.format(Locale.ROOT, "%.1f%%", 100 * finding.ofAllowed()),
                    finding.isOk() ? "ok" : "FAILED");
        }
        table.print(out);
        long failed =
                report.findings().stream().filter(finding -> !finding.isOk()).count();
        out.println();
        out.println(
                failed == 0
                        ? report.findings().size() + " kernels and services, " + report.cases() + " cases: all ok"
                        : failed + " of " + report.findings().size() + " kernels and services FAILED");
    }

    private static String json(Report report) {
        ObjectNode json = Json.object();
        json.putObject("device")
                .put("id", report.device().id())
                .put("name", report.device().name())
                .put("architecture", report.device().architecture())
                .put("driver", report.device().driver());
        json.put("products", report.blas());
        json.put("reference", report.reference());
        json.put("ok", report.firstFailure().isEmpty());
        ArrayNode findings = json.putArray("findings");
        for (Finding finding : report.findings()) {
            ObjectNode node = findings.addObject();
            node.put("name", finding.name());
            node.put("cases", finding.cases());
            node.put("class", String.valueOf(finding.accuracy().letter()));
            node.put("bound", finding.accuracy().bound());
            node.put("largest_deviation", finite(finding.largestDeviation()));
            node.put("of_allowed", finite(finding.ofAllowed()));
            node.put("ok", finding.isOk());
            finding.failure().ifPresent(failure -> node.put("failure", failure));
        }
        return Json.text(json);
    }

    /** JSON has no infinity. */
    private static double finite(double value) {
        return Math.min(value, Double.MAX_VALUE);
    }
}
