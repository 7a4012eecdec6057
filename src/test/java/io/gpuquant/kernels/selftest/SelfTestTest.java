package io.gpuquant.kernels.selftest;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.InternalException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.Stream;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.ptx.TensorCoreModel;
import io.gpuquant.ptx.syntax.Entry;
import io.gpuquant.ptx.syntax.PtxFile;
import io.gpuquant.ptx.syntax.Statement;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SelfTestTest {

    private static final MachineOptions FAST = MachineOptions.fast(2);
    private static final Device DEVICE = open(FAST);
    private static final Device REFERENCE = open(FAST);

    @AfterAll
    static void close() {
        DEVICE.close();
        REFERENCE.close();
    }

    private static Device open(MachineOptions machine) {
        return HostDevice.open(DeviceOptions.defaults(), machine);
    }

    @Test
    void processorIsHealthyOnTheWatchfulMachineToo() {
        try (Device host = HostDevice.open(DeviceOptions.defaults())) {
            Report report = SelfTest.run(host);
            assertThat(report.firstFailure()).isEmpty();
            assertThat(report.findings()).hasSameSizeAs(Checks.all());
            assertThat(report.reference()).contains("checks every access");
            assertThat(report.blas()).contains("OpenBLAS");
            assertThat(report.device()).isEqualTo(host.info());
            assertThat(host.memory().heldBytes()).isZero();
        }
    }

    /** One instruction of each of these kernels is wrong; they are named, and no others. */
    @Test
    void wrongInstructionIsFoundAndItsKernelNamed() {
        Map<String, UnaryOperator<KernelEntry>> defects = new LinkedHashMap<>();
        defect(defects, "convert", "cvt.rn.bf16x2.f32 %pair0, %x1, %x0;", "cvt.rn.bf16x2.f32 %pair0, %x0, %x1;");
        defect(defects, "rms_norm", "fma.rn.f32", "fma.rz.f32");
        defect(defects, "rope", "fma.rn.f32", "fma.rz.f32");
        defect(defects, "swiglu", "ex2.approx.f32 %e3, %e3;", "fma.rn.f32 %e3, %e3, %e3, 0f3F800000;");
        defect(defects, "dot_partials", "add.rn.f64 %sum2, %sum2, %sum3;", "mov.f64 %sum2, %sum3;");
        defect(defects, "gemm_f32", "fma.rn.f32 %sum63, %x7, %y7, %sum63;", "fma.rz.f32 %sum63, %x7, %y7, %sum63;");
        defect(defects, "gemm_bf16", "{%sum0, %sum1, %sum2, %sum3}, {%x0", "{%sum1, %sum0, %sum2, %sum3}, {%x0");
        defect(defects, "hessian_prepare", "add.rn.f32          %damped", "sub.rn.f32 %damped");
        defect(defects, "pack_zeros", "and.b32             %zero, %zero, %mask;", "mov.b32 %zero, %zero;");
        Device defective = InterceptedDevice.of(
                DEVICE,
                entry -> defects.getOrDefault(entry.name(), UnaryOperator.identity())
                        .apply(entry));
        Report report = SelfTest.run(defective, REFERENCE, "another", withNeighbours(defects.keySet()));
        assertThat(report.findings()).hasSizeGreaterThan(2 * defects.size());
        List<Finding> failed =
                report.findings().stream().filter(finding -> !finding.isOk()).toList();
        assertThat(failed).extracting(Finding::name).containsExactlyElementsOf(defects.keySet());
        assertThat(failed).allSatisfy(finding -> {
            assertThat(finding.failure()).get().asString().contains("are wrong, the first of them");
            assertThat(finding.ofAllowed()).isGreaterThan(1);
        });
        assertThat(report.firstFailure()).contains(failed.getFirst());
    }

    /** The checks of kernels, and those before and after each. */
    private static List<Check> withNeighbours(Set<String> kernels) {
        List<Check> all = Checks.ofKernels();
        return IntStream.range(0, all.size())
                .filter(i -> all.subList(Math.max(0, i - 1), Math.min(all.size(), i + 2)).stream()
                        .anyMatch(check -> kernels.contains(check.name())))
                .mapToObj(all::get)
                .toList();
    }

    private static List<Check> checksOf(Collection<String> kernels) {
        return Checks.ofKernels().stream()
                .filter(check -> kernels.contains(check.name()))
                .toList();
    }

    private static void defect(
            Map<String, UnaryOperator<KernelEntry>> defects, String kernel, String right, String wrong) {
        defects.put(kernel, replacing(kernel, right, wrong));
    }

    private static UnaryOperator<KernelEntry> replacing(String kernel, String right, String wrong) {
        return entry -> {
            if (!entry.name().equals(kernel)) {
                return entry;
            }
            String text = entry.module().text();
            int body = text.indexOf(".entry " + kernel + "(");
            assertThat(text.indexOf(right, body)).isPositive();
            String changed = text.substring(0, body)
                    + text.substring(body).replaceFirst(Pattern.quote(right), Matcher.quoteReplacement(wrong));
            return new KernelModule("defective " + entry.module().name(), changed).entry(kernel);
        };
    }

    /** The bounds of class B are for what a GPU may do otherwise; they must allow as much as it may, and be used. */
    @Test
    void approximateInstructionsMayErrAsMuchAsTheirSpecificationAllows() throws IOException {
        List<String> approximate = with(statement -> statement.modifiers().contains("approx"));
        assertThat(approximate).contains("softmax_causal", "swiglu", "route_top_k", "attention_bf16_128");
        try (Device device = open(FAST.withSeed(3).withPerturbation())) {
            Report report = SelfTest.run(device, REFERENCE, "another", checksOf(approximate));
            assertThat(report.firstFailure()).isEmpty();
            assertThat(deviating(report)).containsExactlyInAnyOrderElementsOf(approximate);
        }
    }

    /** Kernels that ship and have such an instruction. */
    private static List<String> with(Predicate<Statement> instruction) throws IOException {
        List<String> names = new ArrayList<>();
        try (java.util.stream.Stream<Path> files = Files.list(Path.of("ptx"))) {
            for (Path file : files.toList()) {
                for (Entry entry :
                        PtxFile.parse(file.toString(), Files.readString(file)).entries()) {
                    if (entry.statements().stream().anyMatch(instruction)) {
                        names.add(entry.name());
                    }
                }
            }
        }
        return names;
    }

    @Test
    void matrixUnitsOfAnotherGenerationStayWithinTheBoundAndAreComparedWithTheirOwn() throws IOException {
        List<Check> products = checksOf(with(statement -> statement.opcode().equals("mma")));
        try (Device hopper = open(FAST.withTensorCores(TensorCoreModel.SM_90))) {
            Report report = SelfTest.run(hopper, REFERENCE, "another", products);
            assertThat(report.firstFailure()).isEmpty();
            assertThat(deviating(report)).contains("gemm_f16", "gemm_bf16", "gram_f16", "gram_bf16");

            DeviceInfo info = new DeviceInfo("cuda:0", "a GPU", "sm_90", 1, 1, "");
            Device gpu = InterceptedDevice.proxy(
                    Device.class, hopper, (method, arguments) -> method.equals("info") ? info : null);
            Report own = SelfTest.run(gpu, products);
            assertThat(own.reference()).isEqualTo("the virtual GPU with matrix units as of sm_90");
            assertThat(own.firstFailure()).isEmpty();
            assertThat(deviating(own)).isEmpty();
        }
    }

    /** Kernels that deviated. */
    private static List<String> deviating(Report report) {
        return report.findings().stream()
                .filter(finding -> finding.largestDeviation() > 0)
                .map(Finding::name)
                .toList();
    }

    @ParameterizedTest
    @CsvSource({
        "sm_80, SM_80",
        "sm_86, SM_80",
        "sm_89, SM_80",
        "sm_90, SM_90",
        "sm_120, SM_90",
        "virtual sm_80, SM_80",
        "unknown, SM_80"
    })
    void matrixUnitIsThatOfTheGpusGeneration(String architecture, TensorCoreModel model) {
        DeviceInfo info = new DeviceInfo("cuda:0", "a GPU", architecture, 1, 1, "");
        assertThat(SelfTest.tensorCores(info)).isEqualTo(model);
    }

    @Test
    void kernelThatTouchesForeignMemoryFailsAndTheRestIsTested() {
        Device defective = InterceptedDevice.of(
                DEVICE,
                replacing("embedding_gather", "st.global.v4.f32 [%target],", "st.global.v4.f32 [%target+0x10000000],"));
        Report report = SelfTest.run(defective, REFERENCE, "another", withNeighbours(Set.of("embedding_gather")));
        assertThat(report.firstFailure()).get().satisfies(finding -> {
            assertThat(finding.name()).isEqualTo("embedding_gather");
            assertThat(finding.failure()).get().asString().contains("embedding_gather");
        });
        assertThat(report.findings()).hasSize(3);
        assertThat(report.findings().getLast().isOk()).isTrue();
    }

    @Test
    void deviceThatAKernelHasBrokenIsNotTestedFurther() {
        AtomicBoolean broken = new AtomicBoolean();
        Stream stream = InterceptedDevice.proxy(Stream.class, DEVICE.stream(), (method, arguments) -> {
            if (method.equals("launch") && ((KernelEntry) arguments[0]).name().equals("rope")) {
                broken.set(true);
            }
            if (broken.get()) {
                throw new InternalException("cuda:0 reported CUDA_ERROR_ILLEGAL_ADDRESS");
            }
            return null;
        });
        Device device = InterceptedDevice.proxy(
                Device.class, DEVICE, (method, arguments) -> method.equals("stream") ? stream : null);
        Report report = SelfTest.run(device, REFERENCE, "another", Checks.ofKernels());
        Finding last = report.findings().getLast();
        assertThat(last.name()).isEqualTo("rope");
        assertThat(last.failure()).isEqualTo(Optional.of("cuda:0 reported CUDA_ERROR_ILLEGAL_ADDRESS"));
        assertThat(report.firstFailure()).contains(last);
    }

    @Test
    void deviceWithoutALibraryForProductsFailsThere() {
        Device device = InterceptedDevice.proxy(Device.class, DEVICE, (method, arguments) -> {
            if (method.equals("blas")) {
                throw new InternalException("no cuBLAS was found");
            }
            return null;
        });
        Report report = SelfTest.run(device, REFERENCE, "another", ProductChecks.ofLibrary());
        assertThat(report.blas()).isEqualTo("none: no cuBLAS was found");
        assertThat(report.firstFailure()).get().satisfies(finding -> {
            assertThat(finding.name()).isEqualTo("library products");
            assertThat(finding.failure()).contains("no cuBLAS was found");
        });
    }

    @Test
    void deviceThatIsNoProcessorIsComparedWithTheProductsMachine() {
        Device gpu = InterceptedDevice.proxy(Device.class, DEVICE, (method, arguments) -> null);
        assertThat(SelfTest.run(gpu, checksOf(Set.of("rms_norm"))).reference())
                .isEqualTo("the virtual GPU with matrix units as of sm_80");
    }
}
