package io.gpuquant.kernels.selftest;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.host.HostDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Nothing ships that the self-test does not test, and no case of it passes whatever the kernel does. */
class KernelCoverageTest {

    private static final Pattern ENTRY = Pattern.compile("^\\.visible \\.entry (\\w+)", Pattern.MULTILINE);

    private static final Device DEVICE = HostDevice.open(DeviceOptions.defaults());
    private static final Device REFERENCE = HostDevice.open(DeviceOptions.defaults());

    @AfterAll
    static void close() {
        DEVICE.close();
        REFERENCE.close();
    }

    static Stream<Check> checks() {
        return Checks.ofKernels().stream();
    }

    @Test
    void everyKernelThatShipsIsTested() throws IOException {
        Set<String> shipped = new TreeSet<>();
        try (Stream<Path> files = Files.list(Path.of("ptx"))) {
            for (Path file :
                    files.filter(name -> name.toString().endsWith(".ptx")).toList()) {
                Matcher entry = ENTRY.matcher(Files.readString(file));
                while (entry.find()) {
                    shipped.add(entry.group(1));
                }
            }
        }
        assertThat(shipped).hasSizeGreaterThan(25);
        assertThat(checks().map(Check::name)).doesNotHaveDuplicates().containsExactlyInAnyOrderElementsOf(shipped);
    }

    /** The name of a check is that of the kernel that each of its cases launches, and no other. */
    @ParameterizedTest
    @MethodSource("checks")
    void everyCaseLaunchesTheKernelOfItsCheck(Check check) {
        for (Case input : check.cases()) {
            List<String> launched = new ArrayList<>();
            Device recorder = InterceptedDevice.of(DEVICE, kernel -> {
                launched.add(kernel.name());
                return kernel;
            });
            try (Bench bench = new Bench(recorder, input)) {
                assertThat(input.run(bench)).isNotEmpty();
            }
            assertThat(launched).as(input.toString()).isNotEmpty().containsOnly(check.name());
        }
    }

    /** A kernel that returns at once leaves what was there, which no case may take for a result. */
    @ParameterizedTest
    @MethodSource("checks")
    void everyCaseFailsWhereTheKernelDoesNothing(Check check) {
        Device idle = InterceptedDevice.of(DEVICE, KernelCoverageTest::idle);
        for (Case input : check.cases()) {
            Deviation deviation = new Deviation();
            try (Bench tested = new Bench(idle, input);
                    Bench trusted = new Bench(REFERENCE, input)) {
                deviation.add(input, input.run(tested), input.expected(trusted));
            }
            assertThat(deviation.fault()).as(input.toString()).contains(input.toString());
        }
    }

    private static KernelEntry idle(KernelEntry kernel) {
        String text = kernel.module().text();
        int body = text.indexOf('{', text.indexOf(".entry " + kernel.name() + "("));
        return new KernelModule(
                        "idle " + kernel.name(), text.substring(0, body + 1) + " ret; " + text.substring(body + 1))
                .entry(kernel.name());
    }

    @Test
    void everyCaseHasItsOwnName() {
        assertThat(Checks.all().stream()
                        .flatMap(check -> check.cases().stream())
                        .map(Case::toString))
                .doesNotHaveDuplicates();
    }
}
