package io.gpuquant.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.UsageException;
import io.gpuquant.device.AttentionMethod;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.DType;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A Mistral with a sliding window and shared heads of keys, whose attention is by the fused kernels. */
class FusedAttentionTest {

    /** A tile of queries and a ragged one. */
    private static final int LENGTH = 67;

    private static final DeviceOptions TILED = new DeviceOptions(Long.MAX_VALUE, 1);
    private static final DeviceOptions FUSED = TILED.with(AttentionMethod.FUSED);
    private static final ForwardRun.Options HALVES = ForwardRun.Options.DEFAULT.operands(DType.BF16);

    @TempDir
    Path folder;

    private RandomModel model;

    @BeforeEach
    void draw() {
        model = RandomModel.of(
                RandomModel.config(
                        "{\"model_type\": \"mistral\", \"sliding_window\": 13, \"head_dim\": 64, \"num_hidden_layers\": 1}"),
                DType.BF16,
                3);
        model.write(folder);
    }

    @Test
    void errsAsLittleAsTiles() {
        int[][] sequences = model.sequences(2, LENGTH, 4);
        double[] expected = Arrays.stream(sequences)
                .flatMap(
                        ids -> Arrays.stream(ReferenceDecoder.of(model).run(ids).logits()))
                .flatMapToDouble(Arrays::stream)
                .toArray();

        double tiles = Deviation.relative(
                run(HostDevice.open(TILED), HALVES, sequences).logits(), expected, 101);
        double kernels = Deviation.relative(
                run(HostDevice.open(FUSED), HALVES, sequences).logits(), expected, 101);

        assertThat(tiles).isBetween(1e-4, 0.05);
        assertThat(kernels).isLessThan(1.5 * tiles);
    }

    @Test
    void resultsDependOnNeitherChunksNorTheMachine() {
        int[][] sequences = model.sequences(3, 19, 5);
        int[] whole = run(HostDevice.open(FUSED), HALVES, sequences).bits();

        assertThat(run(HostDevice.open(FUSED), HALVES.perChunk(2), sequences).bits())
                .isEqualTo(whole);
        assertThat(run(HostDevice.open(FUSED, MachineOptions.checked().withSeed(2)), HALVES, sequences)
                        .bits())
                .isEqualTo(whole);
    }

    @Test
    void refusesTypesAndHeadsThatThereIsNoKernelFor() {
        int[][] sequences = model.sequences(1, 5, 6);
        assertThatThrownBy(() -> run(HostDevice.open(FUSED), ForwardRun.Options.DEFAULT, sequences))
                .isInstanceOf(UsageException.class)
                .hasMessage(
                        "--attention fused cannot compute heads of 64 elements in F32, the type of matrix products on"
                                + " host (it can compute heads of 64, 96, 128 and 256 elements in F16 and BF16); use"
                                + " --attention tiled");
        RandomModel.of(RandomModel.config("{\"head_dim\": 32}"), DType.BF16, 3).write(folder);
        assertThatThrownBy(() -> run(HostDevice.open(FUSED), HALVES, sequences))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("cannot compute heads of 32 elements in BF16");
    }

    /** Closes the device. */
    private ForwardRun run(Device opened, ForwardRun.Options options, int[]... sequences) {
        try (Device device = opened;
                Checkpoint checkpoint = Checkpoint.open(folder)) {
            return ForwardRun.of(
                    device,
                    ModelStructure.of(ModelConfig.read(folder)),
                    new CheckpointWeights(checkpoint, device),
                    options,
                    sequences);
        }
    }
}
