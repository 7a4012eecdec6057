package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.gpuquant.device.ChangedDevice;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.kernels.PtxBlas;
import io.gpuquant.kernels.selftest.Finding;
import io.gpuquant.kernels.selftest.Report;
import io.gpuquant.kernels.selftest.SelfTest;
import io.gpuquant.model.Activation;
import io.gpuquant.model.ActivationStore;
import io.gpuquant.model.ActivationStore.Placement;
import io.gpuquant.model.AttentionRules;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.LayerAttention;
import io.gpuquant.model.LayerPass;
import io.gpuquant.model.LayerWeights;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.ModelFamily;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.RopeParameters;
import io.gpuquant.model.RopeScaling;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageObserver;
import io.gpuquant.model.StageWeights;
import io.gpuquant.model.WeightSource;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * All of a GPU, from the faces of the kernels to the driver's entry points, with the virtual GPU as its silicon and plain
 * loops as its cuBLAS: whatever is mixed up between them, an argument, a stream or a piece of pinned memory, is mixed up
 * here, too.
 */
@InChildJvm
class WholeDeviceTest {

    private static final MachineOptions MACHINE = MachineOptions.fast(2);
    private static final Chunking CHUNKING = new Chunking(3, 21, 2);
    private static final int LAYER = 0;

    @Test
    void selfTestFindsNothingAmiss() throws IOException {
        try (FakeCuda fake = FakeCuda.install();
                VirtualKernels _ = VirtualKernels.install(fake, MACHINE);
                Device device = openWithCublas(fake)) {
            Report report = SelfTest.run(device);
            assertThat(report.firstFailure()).isEmpty();
            assertThat(report.blas()).startsWith("cuBLAS 12");
            assertThat(report.reference()).contains("sm_80");
            assertThat(deviating(report))
                    .containsExactly("library products", "library products, TF32", "library Grams");
            assertThat(fake.calls("cuLaunchKernel")).hasSizeGreaterThan(200);
            assertThat(fake.calls("cuModuleLoadDataEx")).hasSize(kernelFiles());
        }
    }

    /** The self-test tests every kernel of each, which is loaded once. */
    private static int kernelFiles() throws IOException {
        try (Stream<Path> files = Files.list(Path.of("ptx"))) {
            return (int) files.filter(file -> file.toString().endsWith(".ptx")).count();
        }
    }

    @Test
    void selfTestNamesTheKernelThatBreaksTheGpu() {
        FakeCuda fake = FakeCuda.install();
        VirtualKernels kernels = VirtualKernels.install(fake, MACHINE);
        fake.kernels(launch -> launch.entry().equals("rms_norm") ? 700 : kernels.launch(launch));
        Device device = openWithCublas(fake);
        Report report = SelfTest.run(device);
        assertThat(report.firstFailure()).contains(report.findings().getLast());
        assertThat(report.findings().getLast().name()).isEqualTo("rms_norm");
        assertThat(report.findings().getLast().failure().orElseThrow())
                .contains("CUDA_ERROR_ILLEGAL_ADDRESS")
                .contains("rms_norm of norm.ptx");
        device.close();
        fake.close();
    }

    private static List<String> deviating(Report report) {
        return report.findings().stream()
                .filter(finding -> finding.largestDeviation() > 0)
                .map(Finding::name)
                .toList();
    }

    @Test
    void decoderLayerByKernelsAloneGivesTheBitsOfTheProcessor() throws NoGpuException {
        for (DType type : List.of(DType.F32, DType.BF16)) {
            float[] expected;
            try (Device host = HostDevice.open(DeviceOptions.defaults())) {
                expected = decoderLayer(ChangedDevice.with(host, "blas", new PtxBlas()), type, Placement.DEVICE, false);
            }
            for (Placement placement : Placement.values()) {
                for (boolean observed : new boolean[] {false, true}) {
                    try (FakeCuda fake = FakeCuda.install();
                            VirtualKernels _ = VirtualKernels.install(fake, MACHINE);
                            Device device = Fakes.openWithoutCublas(DeviceOptions.defaults())) {
                        assertThat(decoderLayer(device, type, placement, observed))
                                .as(type + " on " + placement + (observed ? ", observed" : ""))
                                .isEqualTo(expected);
                        assertThat(fake.calls("cuLaunchKernel")).isNotEmpty();
                    }
                }
            }
        }
    }

    /** Products of cuBLAS and OpenBLAS are sums in different orders, of at most 96 terms. */
    @Test
    void decoderLayerWithCublasGivesWhatTheProcessorGivesToAFewRoundings() {
        float[] expected;
        try (Device host = HostDevice.open(DeviceOptions.defaults())) {
            expected = decoderLayer(host, DType.F32, Placement.DEVICE, false);
        }
        try (FakeCuda fake = FakeCuda.install();
                VirtualKernels _ = VirtualKernels.install(fake, MACHINE);
                Device device = openWithCublas(fake)) {
            float[] actual = decoderLayer(device, DType.F32, Placement.HOST, true);
            assertThat(fake.calls("cublasGemmEx")).isNotEmpty();
            assertThat(actual).hasSameSizeAs(expected);
            for (int i = 0; i < actual.length; i++) {
                assertThat((double) actual[i]).isCloseTo(expected[i], within(1e-5 * (1 + Math.abs(expected[i]))));
            }
        }
    }

    private static Device openWithCublas(FakeCuda fake) {
        System.setProperty(CublasSearch.PROPERTY, FakeCublas.compile(fake, 12).toString());
        return Fakes.open();
    }

    /** Runs a layer of a small model with random weights; returns the residual stream, and what the stages were shown. */
    private static float[] decoderLayer(Device device, DType operandType, Placement placement, boolean observed) {
        ModelConfig config = config();
        List<Float> inputs = new ArrayList<>();
        try (LayerWeights weights = new LayerWeights(
                        device,
                        ModelStructure.of(config).layers().get(LAYER),
                        new RandomWeights(device),
                        operandType,
                        config.hiddenSize());
                ActivationStore hidden =
                        new ActivationStore(device, "hidden", CHUNKING, DType.F32, config.hiddenSize(), placement);
                LayerPass pass = new LayerPass(
                        device, config, operandType, CHUNKING, new LayerPass.Placements(placement, placement))) {
            for (int chunk = 0; chunk < CHUNKING.count(); chunk++) {
                DeviceMatrix matrix = hidden.create(chunk);
                new RandomWeights(device).load("hidden " + chunk, matrix);
                hidden.store(chunk, matrix);
            }
            if (observed) {
                pass.run(weights, hidden, observer(device, inputs));
                assertThat(inputs).hasSize(4 * CHUNKING.blocks()).doesNotContain(0f);
            } else {
                pass.run(weights, hidden);
            }
            float[] all = new float[0];
            for (int chunk = 0; chunk < CHUNKING.count(); chunk++) {
                float[] values = values(device, hidden.open(chunk));
                int done = all.length;
                all = Arrays.copyOf(all, done + values.length);
                System.arraycopy(values, 0, all, done, values.length);
            }
            return all;
        }
    }

    private static StageObserver observer(Device device, List<Float> inputs) {
        return new StageObserver() {
            @Override
            public void input(Stage stage, DeviceMatrix x) {
                inputs.add(values(device, x)[0]);
            }

            @Override
            public void inputsComplete(StageWeights weights) {}
        };
    }

    private static float[] values(Device device, DeviceMatrix matrix) {
        MemorySegment bytes = MemorySegment.ofArray(new byte[(int) matrix.byteSize()]);
        device.stream().copyToHost(matrix, bytes);
        float[] values = new float[(int) matrix.elementCount()];
        for (int i = 0; i < values.length; i++) {
            values[i] = Elements.floatAt(bytes, matrix.dtype(), i);
        }
        return values;
    }

    private static final RopeParameters ROPE = new RopeParameters(10_000, new RopeScaling.None());

    private static ModelConfig config() {
        return new ModelConfig(
                ModelFamily.named("llama").orElseThrow(),
                48,
                96,
                1,
                4,
                2,
                16,
                64,
                1e-5,
                64,
                false,
                true,
                false,
                Activation.SILU,
                Optional.empty(),
                ROPE,
                new AttentionRules(0.25, 0, List.of(new LayerAttention(0, ROPE))),
                0,
                Optional.empty(),
                JsonNodeFactory.instance.objectNode());
    }

    /** Weights that depend on the tensor's name. */
    private record RandomWeights(Device device) implements WeightSource {

        @Override
        public DType dtype(String tensor) {
            return DType.F32;
        }

        @Override
        public void load(String tensor, DeviceMatrix target) {
            SplittableRandom random = new SplittableRandom(tensor.hashCode());
            MemorySegment bytes = MemorySegment.ofArray(new byte[(int) target.byteSize()]);
            for (long i = 0; i < target.elementCount(); i++) {
                Elements.setFloat(bytes, target.dtype(), i, (float) random.nextGaussian() / 4);
            }
            device.stream().copyToDevice(bytes, target);
        }
    }
}
