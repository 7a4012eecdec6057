package io.gpuquant.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.DType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What must not change a bit of the forward pass. */
class SameBitsTest {

    private static final int LENGTH = 37;

    @TempDir
    Path folder;

    private RandomModel model;
    private int[][] sequences;

    @BeforeEach
    void draw() {
        model = RandomModel.of(RandomModel.config("{\"attention_bias\": true}"), DType.BF16, 7);
        sequences = model.sequences(5, LENGTH, 8);
    }

    @ParameterizedTest
    @CsvSource({"1, 0", "2, 0", "2, 5000", "3, 30000", "4, 60000"})
    void whateverTheChunksAndTilesOfAttention(int perChunk, long scoreBytes) {
        int[] whole = run(1, ForwardRun.Options.DEFAULT).bits();

        assertThat(run(1, ForwardRun.Options.DEFAULT.perChunk(perChunk).scoreBytes(scoreBytes))
                        .bits())
                .isEqualTo(whole);
    }

    @Test
    void whateverTheOtherSequencesOfAChunkSay() {
        ForwardRun before = run(1, ForwardRun.Options.DEFAULT);
        sequences = model.sequences(5, LENGTH, 9);
        sequences[2] = model.sequences(5, LENGTH, 8)[2];
        ForwardRun after = run(1, ForwardRun.Options.DEFAULT);

        int row = LENGTH * 101;
        assertThat(part(after.logits(), 2 * row, row)).containsExactly(part(before.logits(), 2 * row, row));
        assertThat(part(after.logits(), 3 * row, row)).isNotEqualTo(part(before.logits(), 3 * row, row));
    }

    @Test
    void whateverTheLaterTokensOfASequenceAre() {
        ForwardRun before = run(1, ForwardRun.Options.DEFAULT);
        for (int position = 20; position < LENGTH; position++) {
            sequences[0][position] = (sequences[0][position] + 1) % 101;
        }
        ForwardRun after = run(1, ForwardRun.Options.DEFAULT);

        assertThat(part(after.logits(), 0, 20 * 101)).containsExactly(part(before.logits(), 0, 20 * 101));
        assertThat(part(after.logits(), 20 * 101, 101)).isNotEqualTo(part(before.logits(), 20 * 101, 101));
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3, 7})
    void whateverTheNumberOfThreads(int threads) {
        assertThat(run(threads, ForwardRun.Options.DEFAULT).bits())
                .isEqualTo(run(1, ForwardRun.Options.DEFAULT).bits());
    }

    @ParameterizedTest
    @CsvSource({"1", "2", "5"})
    void whereverTheActivationsAre(int perChunk) {
        ForwardRun.Options options = ForwardRun.Options.DEFAULT.perChunk(perChunk);

        assertThat(run(1, options.onHost()).bits()).isEqualTo(run(1, options).bits());
    }

    /** A machine that finds reads of unwritten memory and races, and runs blocks in another order. */
    @Test
    void howeverTheMachineIsWatched() {
        sequences = model.sequences(2, 9, 10);
        int[] fast = run(2, ForwardRun.Options.DEFAULT).bits();

        MachineOptions checked = MachineOptions.checked().withSeed(5);
        try (Checkpoint checkpoint = Checkpoint.open(folder.resolve("single"));
                Device device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1), checked)) {
            ModelStructure structure = ModelStructure.of(ModelConfig.read(folder.resolve("single")));
            WeightSource weights = new CheckpointWeights(checkpoint, device);

            assertThat(ForwardRun.of(device, structure, weights, sequences).bits())
                    .isEqualTo(fast);
        }
    }

    @Test
    void whicheverFileATensorIsIn() {
        int[] single = run(1, ForwardRun.Options.DEFAULT).bits();
        Path shards = model.write(folder.resolve("shards"), 20_000);

        assertThat(shards.resolve("model.safetensors.index.json")).exists();
        assertThat(run(shards, 1, ForwardRun.Options.DEFAULT, LayerPass::run).bits())
                .isEqualTo(single);
    }

    @ParameterizedTest
    @CsvSource({"1, DEVICE", "2, DEVICE", "5, DEVICE", "1, HOST", "2, HOST"})
    void whetherTheStagesAreObserved(int perChunk, ActivationStore.Placement placement) {
        ForwardRun.Options options = new ForwardRun.Options(DType.F32, perChunk, 64 << 20, placement, null);
        int[] direct = run(1, options).bits();

        assertThat(observed(options, new Onlooker()).bits()).isEqualTo(direct);
    }

    private ForwardRun observed(ForwardRun.Options options, StageObserver observer) {
        ForwardRun.LayerRun layerRun = (pass, weights, hidden) -> pass.run(weights, hidden, observer);
        return run(model.write(folder.resolve("observed")), 1, options, layerRun);
    }

    /** Looks and changes nothing. */
    private static final class Onlooker implements StageObserver {

        @Override
        public void input(Stage stage, DeviceMatrix x) {}

        @Override
        public void inputsComplete(StageWeights weights) {}
    }

    private static float[] part(float[] values, int from, int count) {
        return Arrays.copyOfRange(values, from, from + count);
    }

    private ForwardRun run(int threads, ForwardRun.Options options) {
        Path single = folder.resolve("single");
        if (!Files.exists(single)) {
            model.write(single);
        }
        return run(single, threads, options, LayerPass::run);
    }

    private ForwardRun run(
            Path checkpointFolder, int threads, ForwardRun.Options options, ForwardRun.LayerRun layerRun) {
        try (Checkpoint checkpoint = Checkpoint.open(checkpointFolder);
                Device device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, threads))) {
            return ForwardRun.run(
                    device,
                    ModelStructure.of(ModelConfig.read(checkpointFolder)),
                    new CheckpointWeights(checkpoint, device),
                    options,
                    layerRun,
                    sequences);
        }
    }
}
