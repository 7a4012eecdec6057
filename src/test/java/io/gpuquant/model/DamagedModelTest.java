package io.gpuquant.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.InputException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.TestCheckpoints;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Checkpoints that lack a tensor, or have one of another shape or with NaN, whichever of them it is. */
class DamagedModelTest {

    private static final String EMBEDDING = "model.embed_tokens.weight";
    private static final String NORM = "model.layers.1.input_layernorm.weight";
    private static final String MLP_NORM = "model.layers.0.post_attention_layernorm.weight";
    private static final String QUERY = "model.layers.1.self_attn.q_proj.weight";
    private static final String BIAS = "model.layers.0.self_attn.v_proj.bias";
    private static final String DOWN = "model.layers.1.mlp.down_proj.weight";
    private static final String FINAL_NORM = "model.norm.weight";
    private static final String HEAD = "lm_head.weight";

    @TempDir
    Path folder;

    private Device device;
    private RandomModel model;

    @BeforeEach
    void open() {
        device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1));
        model = RandomModel.of(RandomModel.config("{\"attention_bias\": true}"), DType.F16, 31);
    }

    @AfterEach
    void close() {
        device.close();
    }

    @Test
    void isWholeOtherwise() {
        try (Checkpoint checkpoint = Checkpoint.open(model.write(folder))) {
            structure().requireTensors(new CheckpointWeights(checkpoint, device));
            run(checkpoint);
            assertThat(device.memory().heldBytes()).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {EMBEDDING, NORM, MLP_NORM, QUERY, BIAS, DOWN, FINAL_NORM, HEAD})
    void lacksATensor(String tensor) {
        model.with(tensor, List.of()).write(folder);

        isRefusedAtOnce("has no tensor " + tensor);
        isRefusedByThePass("has no tensor " + tensor);
    }

    @ParameterizedTest
    @ValueSource(strings = {EMBEDDING, NORM, MLP_NORM, QUERY, BIAS, DOWN, FINAL_NORM, HEAD})
    void hasATensorOfAnotherShape(String tensor) {
        Shape shape = model.tensor(tensor).shape();
        long[] extents = shape.extents();
        extents[0]++;
        Shape other = Shape.of(extents);
        HostTensor wrong = TestCheckpoints.tensor(tensor, DType.F16, other, new float[(int) other.elementCount()]);
        model.with(tensor, List.of(wrong)).write(folder);

        String message = tensor + " has shape " + other + ", but config.json calls for " + shape;
        isRefusedAtOnce(message);
        isRefusedByThePass(message);
    }

    @ParameterizedTest
    @ValueSource(strings = {EMBEDDING, NORM, MLP_NORM, QUERY, BIAS, DOWN, FINAL_NORM, HEAD})
    void holdsANaN(String tensor) {
        HostTensor whole = model.tensor(tensor);
        float[] values = new float[(int) whole.shape().elementCount()];
        values[values.length - 1] = Float.NaN;
        model.with(tensor, List.of(TestCheckpoints.tensor(tensor, DType.F16, whole.shape(), values)))
                .write(folder);

        isRefusedByThePass(tensor + " holds a NaN or an infinity at element " + (values.length - 1));
    }

    @Test
    void namesTheShardOfADamagedTensor() {
        model.with(DOWN, List.of(TestCheckpoints.tensor(DOWN, DType.F16, Shape.of(1), 0)))
                .write(folder, 20_000);

        isRefusedAtOnce("-of-0");
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 101, Integer.MAX_VALUE})
    void isRunOnATokenOutsideTheVocabulary(int token) {
        try (Checkpoint checkpoint = Checkpoint.open(model.write(folder))) {
            CheckpointWeights weights = new CheckpointWeights(checkpoint, device);

            assertThatThrownBy(() -> ForwardRun.of(device, structure(), weights, new int[] {1, token}))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("token " + token + " is not in a vocabulary of 101");
        }
    }

    private ModelStructure structure() {
        return ModelStructure.of(ModelConfig.read(folder));
    }

    private void isRefusedAtOnce(String message) {
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThatThrownBy(() -> structure().requireTensors(new CheckpointWeights(checkpoint, device)))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining(message);
        }
    }

    private void isRefusedByThePass(String message) {
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThatThrownBy(() -> run(checkpoint))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining(message);
            assertThat(device.memory().heldBytes()).as("memory left behind").isZero();
        }
    }

    private void run(Checkpoint checkpoint) {
        ForwardRun.of(device, structure(), new CheckpointWeights(checkpoint, device), new int[] {1, 2});
    }
}
