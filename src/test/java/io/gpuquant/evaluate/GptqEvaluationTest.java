package io.gpuquant.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.calibration.TestSequences;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.GptqVersion;
import io.gpuquant.model.RandomModel;
import io.gpuquant.safetensors.TestCheckpoints;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A GPTQ checkpoint is computed with exactly as the plain checkpoint of its weights. */
class GptqEvaluationTest {

    private static final String CONFIG = """
            {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4, "num_key_value_heads": 2,
             "num_hidden_layers": 1, "attention_bias": true}""";

    private static final String DOWN = "model.layers.0.mlp.down_proj";

    @TempDir
    Path folder;

    private Device device;
    private RandomModel model;

    @BeforeEach
    void open() {
        device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 2));
        model = RandomModel.of(RandomModel.config(CONFIG), DType.F16, 61);
    }

    @AfterEach
    void close() {
        device.close();
    }

    @ParameterizedTest
    @CsvSource({
        "2, 32, false, false, V1",
        "3, 32, false, true, V1",
        "4, 32, false, false, V1",
        "4, 32, false, true, V1",
        "8, 32, false, false, V1",
        "2, 32, false, true, V2",
        "3, 32, false, false, V2",
        "4, 16, false, true, V2",
        "8, 32, false, true, V2",
        "4, 32, true, false, V1",
        "4, -1, true, false, V2",
        "3, -1, false, false, V1",
    })
    void equalsThePlainCheckpoint(int bits, int groupSize, boolean symmetric, boolean descAct, GptqVersion version) {
        GptqScheme scheme = new GptqScheme(bits, groupSize, symmetric, descAct, version);
        GptqModel quantized = GptqModel.of(model, scheme, name -> true, 62);

        assertThat(score(quantized.packed(), true)).isEqualTo(score(quantized.dense(), false));
    }

    /** Without this, the test before could compare two models that do not use their linears. */
    @Test
    void differsFromTheCheckpointOfTheOtherVersion() {
        GptqModel first = GptqModel.of(model, scheme(GptqVersion.V1), name -> true, 62);
        ObjectNode config = first.packed().config();
        config.withObject("/quantization_config").put("checkpoint_format", "gptq_v2");

        assertThat(score(first.packed(), true)).isNotEqualTo(score(first.dense(), false));
    }

    @Test
    void mixesQuantizedAndPlainLinears() {
        GptqModel quantized = GptqModel.of(model, scheme(GptqVersion.V1), name -> name.contains(".mlp."), 63);

        assertThat(score(quantized.packed(), true)).isEqualTo(score(quantized.dense(), false));
    }

    @Test
    void takesTheTypeOfTheLinearsFromTheConfiguration() {
        GptqModel quantized = GptqModel.of(model, scheme(GptqVersion.V1), name -> true, 63);
        quantized.packed().config().put("torch_dtype", "bfloat16");
        try (OpenModel opened = OpenModel.open(quantized.packed().write(folder))) {
            assertThat(opened.weights(device).dtype(DOWN + ".weight")).isEqualTo(DType.BF16);
            assertThat(opened.weights(device).dtype("lm_head.weight")).isEqualTo(DType.F16);
            assertThat(opened.scheme()).contains(scheme(GptqVersion.V1));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {".qzeros", ".scales", ".g_idx"})
    void namesAMissingPart(String part) {
        RandomModel packed = packed().with(DOWN + part, List.of());

        refuses(packed, "no tensor " + DOWN + part);
    }

    @Test
    void namesALinearWithoutCodesAndWithoutAWeight() {
        RandomModel packed = packed().with(DOWN + ".qweight", List.of());

        refuses(packed, "has no tensor " + DOWN + ".weight");
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 3, Integer.MAX_VALUE})
    void namesAGroupThatIsNotThere(int group) {
        RandomModel packed = packed();
        packed.tensor(DOWN + ".g_idx").data().set(Elements.INT, 5 * Integer.BYTES, group);

        refuses(packed, DOWN + ".g_idx names group " + group + " for input feature 5, but there are 3");
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
    void namesAScaleThatIsNoNumber(float scale) {
        RandomModel packed = packed();
        Elements.setFloat(packed.tensor(DOWN + ".scales").data(), DType.F16, 64 + 7, scale);

        refuses(packed, DOWN + ".scales holds a NaN or an infinity for group 1 of output feature 7");
    }

    @Test
    void namesALinearOfAnotherSizeThanTheConfigurations() {
        RandomModel packed = packed();
        packed.config().put("intermediate_size", 128);

        refuses(packed, "is quantized as 64 to 96 features, but config.json calls for 64 to 128");
    }

    @Test
    void namesAPartOfAnotherShape() {
        HostTensor wrong =
                new HostTensor(DOWN + ".qzeros", DType.I32, Shape.of(2, 8), MemorySegment.ofArray(new byte[64]));

        refuses(packed().with(DOWN + ".qzeros", List.of(wrong)), DOWN + ".qzeros is I32[2, 8]");
    }

    @Test
    void namesADamagedTensorThatIsNotQuantized() {
        String norm = "model.norm.weight";
        float[] values = new float[64];
        values[9] = Float.NaN;
        RandomModel packed =
                packed().with(norm, List.of(TestCheckpoints.tensor(norm, DType.F16, Shape.of(64), values)));

        refuses(packed, norm + " holds a NaN or an infinity at element 9");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "quant_method | hqq | says that the checkpoint is quantized by hqq",
                "bits | 5 | quantization_config has 5 bits, which no GPTQ checkpoint has",
                "group_size | 0 | quantization_config has groups of 0",
                "checkpoint_format | marlin | checkpoint_format is marlin, which is not supported",
            })
    void namesWhatIsNotSupported(String key, String value, String message) {
        RandomModel packed = packed();
        ObjectNode quantization = packed.config().withObject("/quantization_config");
        if (value.chars().allMatch(Character::isDigit)) {
            quantization.put(key, Integer.parseInt(value));
        } else {
            quantization.put(key, value);
        }

        refuses(packed, message);
        refuses(packed, folder.resolve("config.json").toString());
    }

    private static GptqScheme scheme(GptqVersion version) {
        return new GptqScheme(4, 32, false, false, version);
    }

    private RandomModel packed() {
        return GptqModel.of(model, scheme(GptqVersion.V1), name -> true, 64).packed();
    }

    private void refuses(RandomModel damaged, String message) {
        assertThatThrownBy(() -> score(damaged, true))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(message)
                .satisfies(thrown -> assertThat(thrown.getMessage()).doesNotContain("\n"));
        assertThat(device.memory().heldBytes()).isZero();
    }

    private float[] score(RandomModel scored, boolean gptq) {
        scored.write(folder);
        try (OpenModel opened = OpenModel.open(folder)) {
            assertThat(opened.scheme().isPresent()).isEqualTo(gptq);
            return new Evaluator(device, opened.structure(), opened.weights(device))
                    .score(TestSequences.of(model.sequences(1, 33, 65)), done -> {})
                    .ofSequence(0);
        }
    }
}
