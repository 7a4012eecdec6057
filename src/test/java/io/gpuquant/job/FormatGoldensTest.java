package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gpuquant.calibration.CalibrationOptions;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.format.BnbType;
import io.gpuquant.format.CompressedPreset;
import io.gpuquant.format.CompressedScheme;
import io.gpuquant.job.ElementJobOptions.Bnb;
import io.gpuquant.job.ElementJobOptions.Compressed;
import io.gpuquant.job.ElementJobOptions.Fp8Blocks;
import io.gpuquant.job.ElementJobOptions.Target;
import io.gpuquant.model.CheckpointWeights;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.Stage;
import io.gpuquant.model.WeightSource;
import io.gpuquant.quantize.ElementEncoder;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.CheckpointLayout;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Checkpoints that the tools of each format made of one model, and what is made of it here: the same names, types, shapes and
 * bytes of every tensor, and the same configuration.
 */
class FormatGoldensTest {

    private static final Path GOLDENS = Path.of("src/test/resources/goldens/formats");
    private static final Path BASE = GOLDENS.resolve("base_bf16");

    /** Largest inputs whose scales are one, which the tools wrote where they had seen no input. */
    private static final float FP8_UNIT = 448;

    private static final float NVFP4_UNIT = 448 * 6;

    private static final Device DEVICE = HostDevice.open(DeviceOptions.defaults());

    @AfterAll
    static void close() {
        DEVICE.close();
    }

    static Stream<Arguments> formats() {
        return Stream.of(
                Arguments.of("bnb_nf4", new Bnb(BnbType.NF4, false, DType.BF16)),
                Arguments.of("bnb_nf4_dq", new Bnb(BnbType.NF4, true, DType.BF16)),
                Arguments.of("bnb_fp4", new Bnb(BnbType.FP4, false, DType.BF16)),
                Arguments.of("bnb_int8", new Bnb(BnbType.INT8, false, DType.BF16)),
                Arguments.of("hf_fp8_block128", new Fp8Blocks()),
                Arguments.of("ct_W8A8", new Compressed(CompressedPreset.W8A8)),
                Arguments.of("ct_FP8", new Compressed(CompressedPreset.FP8)),
                Arguments.of("ct_FP8_DYNAMIC", new Compressed(CompressedPreset.FP8_DYNAMIC)),
                Arguments.of("ct_FP8_BLOCK", new Compressed(CompressedPreset.FP8_BLOCK)),
                Arguments.of("ct_NVFP4", new Compressed(CompressedPreset.NVFP4)),
                Arguments.of("ct_NVFP4A16", new Compressed(CompressedPreset.NVFP4A16)),
                Arguments.of("ct_MXFP4", new Compressed(CompressedPreset.MXFP4)),
                Arguments.of("ct_MXFP8", new Compressed(CompressedPreset.MXFP8)));
    }

    @SuppressWarnings("NullAway") // Does not see in the class file that the last component may be null.
    private static ElementPlan plan(Target target, Checkpoint base) {
        boolean ranges =
                target instanceof Compressed compressed && compressed.preset().needsRanges();
        QuantizationJobOptions.@Nullable Calibration calibration =
                ranges ? new QuantizationJobOptions.Calibration(null, new CalibrationOptions(16, 1, 0)) : null;
        ElementJobOptions options =
                new ElementJobOptions(BASE, Path.of("unused"), false, "test", target, 0, calibration);
        return ElementPreflight.plan(options, base, ModelConfig.read(BASE), CheckpointLayout.DEFAULT_MAX_SHARD_BYTES);
    }

    private static @Nullable InputRanges ranges(ElementPlan plan) {
        if (plan.options().calibration() == null) {
            return null;
        }
        float most =
                plan.scheme() instanceof CompressedScheme form && form.preset().isTwoLevel() ? NVFP4_UNIT : FP8_UNIT;
        InputRanges ranges = new InputRanges();
        plan.structure()
                .layers()
                .forEach(layer -> layer.stages()
                        .forEach(stage -> ranges.put(stage.linears().getFirst().name(), new float[] {1, most})));
        return ranges;
    }

    private static byte[] bytes(MemorySegment data) {
        return data.toArray(ValueLayout.JAVA_BYTE);
    }

    /** What the job writes, by name. */
    private static Map<String, byte[]> written(ElementPlan plan, Checkpoint base) {
        Map<String, byte[]> written = new LinkedHashMap<>();
        TensorOutput output = new TensorOutput((name, data) -> written.put(name, bytes(data)));
        CopiedTensors.copy(base, plan.layout(), plan.madeTensors(), output);
        WeightSource source = new CheckpointWeights(base, DEVICE);
        ElementLayers layers = new ElementLayers(DEVICE, plan, source, ranges(plan), output, report -> {});
        plan.structure().layers().forEach(layers::encode);
        return written;
    }

    @ParameterizedTest
    @MethodSource("formats")
    void tensorsAreThoseOfTheTools(String golden, Target target) {
        try (Checkpoint base = Checkpoint.open(BASE);
                Checkpoint expected = Checkpoint.open(GOLDENS.resolve(golden))) {
            ElementPlan plan = plan(target, base);
            Map<String, byte[]> written = written(plan, base);

            assertThat(written.keySet())
                    .containsExactlyInAnyOrderElementsOf(
                            expected.tensors().stream().map(TensorInfo::name).toList());
            Set<String> different = new TreeSet<>();
            for (TensorInfo info : expected.tensors()) {
                TensorInfo ours = plan.layout().info(info.name());
                assertThat(ours.dtype() + " " + ours.shape())
                        .as(info.name())
                        .isEqualTo(info.dtype() + " " + info.shape());
                if (!Arrays.equals(
                        written.get(info.name()),
                        bytes(expected.tensor(info.name()).data()))) {
                    different.add(info.name());
                }
            }
            assertThat(different).isEqualTo(expectedDifferences(golden));
        }
    }

    /**
     * The tools gave each linear of these checkpoints a scale of scales of its own, which engines that fuse linears do not
     * bear; here linears that share their input share it. So the linear with the largest weight of each stage is the same to
     * the last byte, and the others differ in everything that follows from it.
     */
    private static Set<String> expectedDifferences(String golden) {
        Set<String> different = new TreeSet<>();
        if (golden.startsWith("ct_NVFP4")) {
            for (String linear : new String[] {"self_attn.q_proj", "self_attn.v_proj", "mlp.gate_proj"}) {
                for (String tensor : new String[] {"weight_packed", "weight_scale", "weight_global_scale"}) {
                    different.add("model.layers.0." + linear + "." + tensor);
                }
            }
        }
        return different;
    }

    @ParameterizedTest
    @MethodSource("formats")
    void configurationIsThatOfTheTools(String golden, Target target) throws IOException {
        JsonNode config = new ObjectMapper()
                .readTree(GOLDENS.resolve(golden).resolve("config.json").toFile());
        try (Checkpoint base = Checkpoint.open(BASE)) {
            ElementPlan plan = plan(target, base);
            JsonNode ours =
                    new ObjectMapper().readTree(plan.quantizationConfig().toString());
            assertThat(ours).isEqualTo(config.path("quantization_config"));
        }
    }

    /** With a scale of scales for each linear, as the tools had it, every byte is the same. */
    @Test
    void nvfp4OfSingleLinearsIsThatOfTheTools() {
        try (Checkpoint base = Checkpoint.open(BASE);
                Checkpoint expected = Checkpoint.open(GOLDENS.resolve("ct_NVFP4A16"))) {
            ElementPlan plan = plan(new Compressed(CompressedPreset.NVFP4A16), base);
            Map<String, byte[]> written = new LinkedHashMap<>();
            ElementWriter writer = new ElementWriter(
                    DEVICE, plan.scheme(), new TensorOutput((name, data) -> written.put(name, bytes(data))));
            WeightSource source = new CheckpointWeights(base, DEVICE);
            for (DecoderLayer layer : plan.structure().layers()) {
                for (Stage stage : layer.stages()) {
                    stage.linears().forEach(linear -> write(linear, source, writer));
                }
            }
            assertThat(written).hasSize(21);
            written.forEach((name, bytes) -> assertThat(bytes)
                    .as(name)
                    .isEqualTo(bytes(expected.tensor(name).data())));
        }
    }

    private static void write(LinearSpec linear, WeightSource source, ElementWriter writer) {
        DeviceMatrix weight = DeviceMatrix.allocate(DEVICE, linear.weightName(), DType.BF16, linear.out(), linear.in());
        try (var buffer = weight.buffer()) {
            source.load(linear.weightName(), weight);
            float most = new ElementEncoder(DEVICE).absmax(weight);
            writer.write(linear, weight, new ElementWriter.Shared(most, 0)).close();
        }
    }
}
