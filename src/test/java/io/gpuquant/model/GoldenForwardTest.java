package io.gpuquant.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.SafetensorsFile;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The forward pass against transformers, in float32 on both sides. {@link Deviation#tolerance} says what that costs: 1.9e-5
 * after the first layer, and 4.2e-5 for the logits; less than 4e-6 is measured. Operands rounded to float16 would be off by 1e-3.
 *
 * <p>The model that computed the expected values was cast to float16 before it was cast to float32, which rounds the
 * frequencies of its rotary embedding too, to 11 bits: off by 1.6e-2 for some tokens, in float64 as well. So the pass is
 * made with such frequencies here; {@link RotaryEmbeddingTest} compares those of the product with transformers bit for bit.
 */
class GoldenForwardTest {

    private static final Path GOLDENS = Path.of("src/test/resources/goldens/models");

    private Device device;

    @BeforeEach
    void open() {
        device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1));
    }

    @AfterEach
    void close() {
        device.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama3-rope"})
    void computesTheHiddenStatesAndLogitsOfTransformers(String name) {
        ModelStructure structure = structure(name);
        ModelConfig config = structure.config();
        try (SafetensorsFile expected = expected(name)) {
            ForwardRun run = run(name, structure, DType.F32, castFrequencies(config));

            assertThat(run.hidden().getFirst()).containsExactly(floats(expected, "hidden.0"));
            for (int layer = 1; layer < config.numHiddenLayers(); layer++) {
                assertThat(Deviation.relative(
                                run.hidden().get(layer), floats(expected, "hidden." + layer), config.hiddenSize()))
                        .as("hidden." + layer)
                        .isLessThan(Deviation.toleranceAfter(layer, config));
            }
            String last = "hidden." + config.numHiddenLayers();
            assertThat(Deviation.relative(run.normalized(), floats(expected, last), config.hiddenSize()))
                    .isLessThan(Deviation.toleranceAfter(config.numHiddenLayers(), config));
            assertThat(Deviation.relative(run.logits(), floats(expected, "logits"), config.vocabSize()))
                    .isLessThan(Deviation.toleranceOfLogits(config));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama3-rope"})
    void wouldShowOperandsOfHalfPrecision(String name) {
        ModelStructure structure = structure(name);
        ModelConfig config = structure.config();
        try (SafetensorsFile expected = expected(name)) {
            ForwardRun run = run(name, structure, DType.F16, castFrequencies(config));

            assertThat(Deviation.relative(run.logits(), floats(expected, "logits"), config.vocabSize()))
                    .isBetween(10 * Deviation.toleranceOfLogits(config), 0.05);
        }
    }

    /** The only thing that keeps the product from the expected values. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama3-rope"})
    void wouldShowRoundedFrequencies(String name) {
        ModelStructure structure = structure(name);
        ModelConfig config = structure.config();
        try (SafetensorsFile expected = expected(name)) {
            ForwardRun run = run(name, structure, DType.F32, new RotaryEmbedding(config.rope(), config.headDim()));

            assertThat(Deviation.relative(run.logits(), floats(expected, "logits"), config.vocabSize()))
                    .isBetween(10 * Deviation.toleranceOfLogits(config), 0.05);
        }
    }

    private ForwardRun run(String name, ModelStructure structure, DType operandType, RotaryEmbedding rope) {
        try (Checkpoint checkpoint = Checkpoint.open(GOLDENS.resolve(name));
                SafetensorsFile expected = expected(name)) {
            return ForwardRun.of(
                    device,
                    structure,
                    new CheckpointWeights(checkpoint, device),
                    ForwardRun.Options.DEFAULT.operands(operandType).rope(rope),
                    ids(expected.tensor("input_ids")));
        }
    }

    private static RotaryEmbedding castFrequencies(ModelConfig config) {
        float[] frequencies = new RotaryEmbedding(config.rope(), config.headDim()).inverseFrequencies();
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] = Float.float16ToFloat(Float.floatToFloat16(frequencies[i]));
        }
        return new RotaryEmbedding(frequencies);
    }

    private static ModelStructure structure(String name) {
        return ModelStructure.of(ModelConfig.read(GOLDENS.resolve(name)));
    }

    private static SafetensorsFile expected(String name) {
        return SafetensorsFile.open(GOLDENS.resolve(name).resolve("expected.safetensors"));
    }

    private static float[] floats(SafetensorsFile file, String tensor) {
        return Elements.toFloats(file.tensor(tensor));
    }

    private static int[][] ids(HostTensor tensor) {
        int count = (int) tensor.shape().extent(0);
        int length = (int) tensor.shape().extent(1);
        int[][] ids = new int[count][length];
        for (int i = 0; i < count * length; i++) {
            ids[i / length][i % length] = tensor.data().get(Elements.INT, (long) i * Integer.BYTES);
        }
        return ids;
    }
}
