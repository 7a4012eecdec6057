package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.DeviceProvider;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.Stream;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.kernels.selftest.Accuracy;
import io.gpuquant.kernels.selftest.Finding;
import io.gpuquant.kernels.selftest.Report;
import io.gpuquant.kernels.selftest.SelfTest;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class SelftestCommandTest {

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int run(SelftestCommand command, String... arguments) {
        ErrorReporter errors = new ErrorReporter();
        return new CommandLine(command)
                .setExecutionExceptionHandler(errors)
                .setParameterExceptionHandler(errors)
                .setOut(new PrintWriter(out, true))
                .setErr(new PrintWriter(err, true))
                .execute(arguments);
    }

    @Test
    void commandIsPartOfTheProgram() {
        assertThat(Main.commandLine().getSubcommands()).containsKey("selftest");
    }

    @Test
    void healthyDeviceIsATableOfOks() {
        assertThat(run(new SelftestCommand(), "--device", "host", "--threads", "2"))
                .isZero();
        assertThat(out.toString())
                .contains("device     host, ")
                .contains("products   OpenBLAS")
                .contains("reference  a virtual GPU that runs blocks in another order")
                .containsPattern("gptq_block +\\d+ +A +0\\.0 +- +ok")
                .containsPattern("\\d+ kernels and services, \\d+ cases: all ok")
                .doesNotContain("FAILED");
        assertThat(err.toString()).isEmpty();
    }

    @Test
    void wrongKernelEndsWithExitCodeFiveAndASentenceThatNamesIt() throws Exception {
        SelftestCommand command = new SelftestCommand(device -> SelfTest.run(withWrongRope(device)));
        assertThat(run(command, "--device", "host", "--json")).isEqualTo(5);
        assertThat(err.toString())
                .startsWith("gpuquant: rope fails on host (")
                .contains("Rotate[")
                .contains("elements of its result are wrong")
                .endsWith("; install gpuquant again, and report this if it stays\n")
                .hasLineCount(1);
        JsonNode json = new ObjectMapper().readTree(out.toString());
        assertThat(json.path("ok").asBoolean(true)).isFalse();
        assertThat(json.path("device").path("id").asText()).isEqualTo("host");
        assertThat(json.path("products").asText()).startsWith("OpenBLAS");
        assertThat(json.path("findings"))
                .filteredOn(finding -> !finding.path("ok").asBoolean())
                .singleElement()
                .satisfies(finding -> {
                    assertThat(finding.path("name").asText()).isEqualTo("rope");
                    assertThat(finding.path("class").asText()).isEqualTo("A");
                    assertThat(finding.path("bound").asText()).isEqualTo("bit-equal");
                    assertThat(finding.path("largest_deviation").asDouble()).isPositive();
                    assertThat(finding.path("of_allowed").asDouble()).isEqualTo(Double.MAX_VALUE);
                    assertThat(finding.path("failure").asText()).contains("Rotate[");
                });
    }

    @Test
    void tableSaysWhatFailed() {
        Accuracy accuracy = new Accuracy('B', "a bound");
        Report report = new Report(
                info("cuda:0"),
                "cuBLAS 12",
                "another",
                List.of(
                        new Finding("rope", accuracy, 3, 0.5, 0.25, Optional.empty()),
                        new Finding("swiglu", accuracy, 7, 1.5, 4, Optional.of("a case is wrong"))));
        assertThat(run(new SelftestCommand(device -> report), "--device", "host"))
                .isEqualTo(5);
        assertThat(out.toString())
                .containsPattern("rope +3 +B +0\\.50 +25\\.0% +ok")
                .containsPattern("swiglu +7 +B +1\\.5 +400\\.0% +FAILED")
                .contains("1 of 2 kernels and services FAILED");
        assertThat(err.toString())
                .isEqualTo(
                        "gpuquant: swiglu fails on cuda:0 (a device): a case is wrong; do not quantize on this device"
                                + " before its driver has been updated, or report this if it stays\n");
    }

    @Test
    void deviceThatIsNotThereIsAMatterOfResources() {
        assertThat(run(new SelftestCommand(), "--device", "cuda:99")).isEqualTo(4);
        assertThat(err.toString()).contains("--device cuda:99 is not there");
    }

    @Test
    void saysPlainlyThatThereIsNoGpu() {
        List<DeviceProvider> providers = List.of(provider("cuda"), provider("host", info("host")));
        try (Device host = HostDevice.open(DeviceOptions.defaults())) {
            assertThat(SelftestCommand.noGpuNote("auto", host, providers))
                    .contains("No GPU was found (no cuda is here), so the processor is tested, which runs the same"
                            + " kernels on a virtual GPU.");
            assertThat(SelftestCommand.noGpuNote("host", host, providers)).isEmpty();
            assertThat(SelftestCommand.noGpuNote("auto", host, providers.subList(1, 2)))
                    .isEmpty();
        }
    }

    private static DeviceInfo info(String id) {
        return new DeviceInfo(id, "a device", "sm_80", 1, 1, "");
    }

    private static DeviceProvider provider(String kind, DeviceInfo... devices) {
        return new DeviceProvider() {
            @Override
            public String kind() {
                return kind;
            }

            @Override
            public int preference() {
                return 0;
            }

            @Override
            public Probe probe() {
                return new Probe(List.of(devices), "no " + kind + " is here");
            }

            @Override
            public Device open(int index, DeviceOptions options) {
                throw new AssertionError("opened");
            }
        };
    }

    private static Device withWrongRope(Device device) {
        Stream stream = (Stream) Proxy.newProxyInstance(
                SelftestCommandTest.class.getClassLoader(),
                new Class<?>[] {Stream.class},
                (self, method, arguments) -> {
                    if (method.getName().equals("launch")
                            && ((KernelEntry) arguments[0]).name().equals("rope")) {
                        KernelModule right = ((KernelEntry) arguments[0]).module();
                        String wrong = right.text().replaceFirst("fma\\.rn\\.f32", "fma.rz.f32");
                        arguments[0] = new KernelModule("wrong rope", wrong).entry("rope");
                    }
                    return call(method, device.stream(), arguments);
                });
        return (Device) Proxy.newProxyInstance(
                SelftestCommandTest.class.getClassLoader(),
                new Class<?>[] {Device.class},
                (self, method, arguments) ->
                        method.getName().equals("stream") ? stream : call(method, device, arguments));
    }

    private static Object call(java.lang.reflect.Method method, Object target, Object[] arguments) throws Throwable {
        try {
            return method.invoke(target, arguments);
        } catch (InvocationTargetException failure) {
            throw failure.getCause();
        }
    }
}
