package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.gpuquant.InputException;
import io.gpuquant.calibration.TestSequences;
import io.gpuquant.calibration.TokenSequences;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.model.CheckpointWeights;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RangePassTest {

    private static final String FIRST = "model.layers.0.self_attn.q_proj";

    @TempDir
    Path folder;

    private static InputRanges run(Path model, TokenSequences sequences, List<Integer> done) {
        try (Device device = HostDevice.open(DeviceOptions.defaults());
                Checkpoint checkpoint = Checkpoint.open(model)) {
            ModelStructure structure = ModelStructure.of(ModelConfig.read(model));
            return new RangePass(device, structure, new CheckpointWeights(checkpoint, device))
                    .run(sequences, done::add);
        }
    }

    /** The first stage's input is the normalized embedding, which is easily computed in float64. */
    @Test
    void findsTheLargestInputOfEachFeature() {
        Path model = TinyModel.narrow().write(folder.resolve("model"));
        TokenSequences sequences = TestSequences.of(new int[] {1, 5, 900, 77}, new int[] {8, 1023, 0, 4});
        List<Integer> done = new ArrayList<>();

        InputRanges ranges = run(model, sequences, done);

        assertThat(done).containsExactly(1, 2);
        MadeCheckpoint source = new MadeCheckpoint(model);
        float[] embedding = source.values("model.embed_tokens.weight");
        float[] norm = source.values("model.layers.0.input_layernorm.weight");
        int hidden = norm.length;
        double[] expected = new double[hidden];
        for (int i = 0; i < sequences.count(); i++) {
            for (int token : sequences.sequence(i)) {
                double square = 0;
                for (int j = 0; j < hidden; j++) {
                    square += Math.pow(embedding[token * hidden + j], 2) / hidden;
                }
                for (int j = 0; j < hidden; j++) {
                    double value = embedding[token * hidden + j] / Math.sqrt(square + 1e-5) * norm[j];
                    expected[j] = Math.max(expected[j], Math.abs(value));
                }
            }
        }
        float[] found = ranges.of(FIRST);
        float most = 0;
        for (int j = 0; j < hidden; j++) {
            assertThat((double) found[j]).isCloseTo(expected[j], within(1e-5 * expected[j]));
            most = Math.max(most, found[j]);
        }
        assertThat(ranges.most(FIRST)).isEqualTo(most);
        assertThat(ranges.most("model.layers.1.mlp.down_proj")).isPositive();
    }

    @Test
    void inputsThatAreNotFiniteAreRefused() {
        Path model = TinyModel.narrow()
                .dtype(DType.BF16, "bfloat16")
                .change("model.layers.0.mlp.up_proj.weight", values -> {
                    Arrays.fill(values, 3e38f);
                    return values;
                })
                .write(folder.resolve("model"));

        assertThatThrownBy(() -> run(model, TestSequences.of(new int[] {1, 2}), new ArrayList<>()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("the input of model.layers.0.mlp.down_proj is not finite");
    }

    @Test
    void areKeptForTheSameRunOnly() throws IOException {
        InputRanges ranges = new InputRanges();
        ranges.put("a", new float[] {1, 0.1f});
        ranges.put("b", new float[] {7});
        ranges.save(folder, "this run");

        assertThat(InputRanges.read(folder, "this run").orElseThrow().of("a")).containsExactly(1, 0.1f);
        assertThat(InputRanges.read(folder, "another run")).isEmpty();
        Path file = folder.resolve(InputRanges.FILE);
        byte[] bytes = Files.readAllBytes(file);
        Files.write(file, Arrays.copyOf(bytes, bytes.length - 6));
        assertThat(InputRanges.read(folder, "this run")).isEmpty();
        bytes[bytes.length - 7] ^= 1;
        Files.write(file, bytes);
        assertThat(InputRanges.read(folder, "this run")).isEmpty();
    }
}
