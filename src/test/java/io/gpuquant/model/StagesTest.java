package io.gpuquant.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What an observer of a layer sees, and what becomes of what it changes. */
class StagesTest {

    private static final int LENGTH = 19;
    private static final int SEQUENCES = 3;

    @TempDir
    Path folder;

    private Device device;
    private RandomModel model;
    private ModelStructure structure;

    @BeforeEach
    void open() {
        device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1));
        model = RandomModel.of(RandomModel.config("{\"attention_bias\": true}"), DType.F32, 21);
        model.write(folder);
        structure = ModelStructure.of(ModelConfig.read(folder));
    }

    @AfterEach
    void close() {
        device.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void showsTheInputsOfEveryStageOnce(int perChunk) {
        int[][] sequences = model.sequences(SEQUENCES, LENGTH, 22);
        Recorder recorder = new Recorder();
        run(recorder, ForwardRun.Options.DEFAULT.perChunk(perChunk), sequences);

        List<ReferenceDecoder.Pass> expected =
                Arrays.stream(sequences).map(ReferenceDecoder.of(model)::run).toList();
        assertThat(recorder.stages).hasSize(8);
        for (int i = 0; i < recorder.stages.size(); i++) {
            int stage = i;
            double[] inputs = expected.stream()
                    .flatMap(pass -> Arrays.stream(pass.stageInputs().get(stage)))
                    .flatMapToDouble(Arrays::stream)
                    .toArray();
            int width = recorder.stages.get(i).in();
            assertThat(Deviation.relative(recorder.inputsOf(i), inputs, width))
                    .as("inputs of stage " + i)
                    .isLessThan(Deviation.toleranceAfter(i / 4 + 1, structure.config()) + Deviation.ofAngles(LENGTH));
        }
    }

    @Test
    void showsTheStagesInTheirOrder() {
        Recorder recorder = new Recorder();
        run(recorder, ForwardRun.Options.DEFAULT.perChunk(2), model.sequences(SEQUENCES, LENGTH, 22));

        assertThat(recorder.stages.stream().map(Stage::kind))
                .containsExactly(
                        Stage.Kind.ATTENTION_IN,
                        Stage.Kind.ATTENTION_OUT,
                        Stage.Kind.MLP_IN,
                        Stage.Kind.MLP_OUT,
                        Stage.Kind.ATTENTION_IN,
                        Stage.Kind.ATTENTION_OUT,
                        Stage.Kind.MLP_IN,
                        Stage.Kind.MLP_OUT);
        assertThat(recorder.chunksOfStages).containsOnly(2);
    }

    /** {@code true_sequential}: each stage after a changed one sees what the changed weights produce. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void goesOnWithChangedWeights(int changedStage) {
        int[][] sequences = model.sequences(SEQUENCES, LENGTH, 22);
        Recorder recorder = new Recorder() {
            @Override
            public void inputsComplete(StageWeights weights) {
                if (stages.size() == changedStage + 1) {
                    negate(weights.weight(0));
                }
                super.inputsComplete(weights);
            }
        };
        ForwardRun changed = run(recorder, ForwardRun.Options.DEFAULT.perChunk(2), sequences);

        Path negated = negatedModel(changedStage).write(folder.resolve("negated"));
        try (Checkpoint checkpoint = Checkpoint.open(negated)) {
            ForwardRun expected = ForwardRun.of(
                    device,
                    structure,
                    new CheckpointWeights(checkpoint, device),
                    ForwardRun.Options.DEFAULT.perChunk(2),
                    sequences);
            assertThat(changed.bits()).isEqualTo(expected.bits());
        }
    }

    private RandomModel negatedModel(int stage) {
        String name = structure
                .layers()
                .getFirst()
                .stages()
                .get(stage)
                .linears()
                .getFirst()
                .weightName();
        float[] values = new float[model.values(name).length];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) -model.values(name)[i];
        }
        return model.with(
                name,
                List.of(io.gpuquant.safetensors.TestCheckpoints.tensor(
                        name, DType.F32, model.tensor(name).shape(), values)));
    }

    private void negate(DeviceMatrix matrix) {
        float[] values = download(matrix);
        for (int i = 0; i < values.length; i++) {
            values[i] = -values[i];
        }
        device.stream().copyToDevice(MemorySegment.ofArray(values), matrix);
    }

    private float[] download(DeviceMatrix matrix) {
        float[] values = new float[Math.toIntExact(matrix.elementCount())];
        device.stream().copyToHost(matrix, MemorySegment.ofArray(values));
        return values;
    }

    private ForwardRun run(StageObserver observer, ForwardRun.Options options, int[]... sequences) {
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            return ForwardRun.run(
                    device,
                    structure,
                    new CheckpointWeights(checkpoint, device),
                    options,
                    (pass, weights, hidden) -> pass.run(weights, hidden, observer),
                    sequences);
        }
    }

    /** Keeps all inputs. */
    private class Recorder implements StageObserver {

        final List<Stage> stages = new ArrayList<>();
        final List<Integer> chunksOfStages = new ArrayList<>();
        private final List<List<float[]>> inputs = new ArrayList<>();
        private boolean within;

        @Override
        public void input(Stage stage, DeviceMatrix x) {
            if (!within) {
                within = true;
                stages.add(stage);
                inputs.add(new ArrayList<>());
            }
            assertThat(stage).isEqualTo(stages.getLast());
            inputs.getLast().add(download(x));
        }

        @Override
        public void inputsComplete(StageWeights weights) {
            assertThat(weights.stage()).isEqualTo(stages.getLast());
            within = false;
            chunksOfStages.add(inputs.getLast().size());
        }

        float[] inputsOf(int stage) {
            float[] all = new float[SEQUENCES * LENGTH * stages.get(stage).in()];
            int done = 0;
            for (float[] chunk : inputs.get(stage)) {
                System.arraycopy(chunk, 0, all, done, chunk.length);
                done += chunk.length;
            }
            assertThat(done).isEqualTo(all.length);
            return all;
        }
    }
}
