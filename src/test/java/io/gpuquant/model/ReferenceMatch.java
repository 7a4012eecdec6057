package io.gpuquant.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Device;
import io.gpuquant.safetensors.Checkpoint;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/** Compares the forward pass with a float64 one: after each layer, after the last norm, and the logits. */
final class ReferenceMatch {

    private ReferenceMatch() {}

    /** Fails unless a model that was written to a folder computes what the float64 one does. */
    static void require(Device device, RandomModel model, Path folder, int[]... sequences) {
        ModelStructure structure = ModelStructure.of(ModelConfig.read(folder));
        ModelConfig config = structure.config();
        List<ReferenceDecoder.Pass> expected =
                Arrays.stream(sequences).map(ReferenceDecoder.of(model)::run).toList();
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            ForwardRun run = ForwardRun.of(device, structure, new CheckpointWeights(checkpoint, device), sequences);

            double angles = Deviation.ofAngles(sequences[0].length);
            assertThat(run.hidden().getFirst())
                    .containsExactly(floats(expected, pass -> pass.hidden().getFirst()));
            for (int i = 1; i <= config.numHiddenLayers(); i++) {
                int layers = i;
                assertThat(Deviation.relative(
                                run.hidden().get(i),
                                joined(expected, pass -> pass.hidden().get(layers)),
                                config.hiddenSize()))
                        .as("after layer " + i)
                        .isLessThan(Deviation.toleranceAfter(i, config) + angles);
            }
            assertThat(Deviation.relative(
                            run.normalized(), joined(expected, ReferenceDecoder.Pass::normalized), config.hiddenSize()))
                    .as("normalized")
                    .isLessThan(Deviation.toleranceAfter(config.numHiddenLayers(), config) + angles);
            assertThat(Deviation.relative(
                            run.logits(), joined(expected, ReferenceDecoder.Pass::logits), config.vocabSize()))
                    .as("logits")
                    .isLessThan(Deviation.toleranceOfLogits(config) + angles);
        }
    }

    private static double[] joined(
            List<ReferenceDecoder.Pass> passes, Function<ReferenceDecoder.Pass, double[][]> part) {
        return passes.stream()
                .flatMap(pass -> Arrays.stream(part.apply(pass)))
                .flatMapToDouble(Arrays::stream)
                .toArray();
    }

    private static float[] floats(
            List<ReferenceDecoder.Pass> passes, Function<ReferenceDecoder.Pass, double[][]> part) {
        double[] values = joined(passes, part);
        float[] floats = new float[values.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = (float) values[i];
        }
        return floats;
    }
}
