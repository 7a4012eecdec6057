package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.model.ActivationStore;
import io.gpuquant.model.CheckpointWeights;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LayerPass;
import io.gpuquant.model.LayerWeights;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.NormFlavour;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageWeights;
import io.gpuquant.quantize.AwqOptions;
import io.gpuquant.quantize.ReferenceAwq;
import io.gpuquant.quantize.ScaleSearch;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The search by module output finds what a float64 attention and a float64 MLP find: class E, losses within 0.1 %. */
class AwqModuleSearchTest {

    private static final int LENGTH = 16;
    private static final int SEQUENCES = 6;
    private static final int GROUP = 32;
    private static final int RATIOS = 10;
    private static final QuantizationGrid GRID = new QuantizationGrid(4, false, 0, QuantizationGrid.Search.MIN_MAX);

    private static final AwqOptions OPTIONS = new AwqOptions(GRID, GROUP, RATIOS, true, false);

    @TempDir
    Path folder;

    @ParameterizedTest
    @EnumSource(
            value = Stage.Kind.class,
            names = {"ATTENTION_IN", "MLP_IN"})
    void findsTheScalesOfTheReference(Stage.Kind kind) {
        Path model = new TinyModel()
                .dtype(DType.F32, "float32")
                .layers(1)
                .change("model.layers.0.input_layernorm.weight", AwqModuleSearchTest::uneven)
                .change("model.layers.0.post_attention_layernorm.weight", AwqModuleSearchTest::uneven)
                .write(folder);
        ModelConfig config = ModelConfig.read(model);
        ModelStructure structure = ModelStructure.of(config);
        DecoderLayer layer = structure.layers().getFirst();
        Chunking chunking = new Chunking(SEQUENCES, LENGTH, 4);
        try (Device device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 2));
                Checkpoint checkpoint = Checkpoint.open(model);
                LayerWeights weights = new LayerWeights(
                        device, layer, new CheckpointWeights(checkpoint, device), DType.F32, config.hiddenSize());
                ActivationStore hidden = residualStream(device, chunking, config.hiddenSize());
                LayerPass pass = new LayerPass(device, config, DType.F32, chunking, LayerPass.Placements.ON_DEVICE);
                LayerObservation seen =
                        new LayerObservation(device, Peers.NONE, chunking, stage -> true, stage -> true)) {
            pass.observe(weights, hidden, seen, LayerPass.Residual.KEPT, null);
            seen.complete();
            ScaleSearch.Found found = search(device, kind, weights, seen, pass);

            double[][] x = seen.kept(layer.stage(kind)).stream()
                    .flatMap(chunk -> Arrays.stream(read(device, chunk)))
                    .toArray(double[][]::new);
            double[] expected = expected(device, config, kind, weights, x);
            double least = Arrays.stream(expected).min().orElseThrow();
            for (int k = 0; k < expected.length; k++) {
                // A weight between two integers may go either way, which these few tokens show.
                assertThat(found.losses()[k]).as("candidate " + k).isCloseTo(expected[k], within(2e-3 * expected[k]));
            }
            int picked = (int) Math.rint(Objects.requireNonNull(found.ratio()) * RATIOS) + 1;
            assertThat(expected[picked]).isCloseTo(least, within(1e-3 * least));
            assertThat(searchWithoutTokens(device, kind, weights, seen, pass, found.losses()))
                    .contains(found.scales().orElseThrow());
        }
    }

    /** The search of a device that has none of the tokens, while another finds these losses. */
    private static Optional<float[]> searchWithoutTokens(
            Device device,
            Stage.Kind kind,
            LayerWeights weights,
            LayerObservation seen,
            LayerPass pass,
            double[] losses) {
        StageWeights in = weights.stage(kind);
        StageWeights out = weights.stage(Stage.Kind.values()[kind.ordinal() + 1]);
        try (ModuleLoss loss = new ModuleLoss(device, pass.module(weights, kind), List.of(), in, out)) {
            ScaleSearch search = new ScaleSearch(device, OPTIONS, own -> {
                assertThat(own).hasSameSizeAs(losses).containsOnly(0);
                return losses;
            });
            return search.search(in.stacked(), seen.mean(in.stage()), loss).scales();
        }
    }

    private static float[] uneven(float[] values) {
        for (int i = 0; i < values.length; i += 7) {
            values[i] *= 6;
        }
        return values;
    }

    private static ActivationStore residualStream(Device device, Chunking chunking, int width) {
        ActivationStore store = new ActivationStore(
                device, "residual stream", chunking, DType.F32, width, ActivationStore.Placement.HOST);
        SplittableRandom random = new SplittableRandom(5);
        for (int chunk = 0; chunk < chunking.count(); chunk++) {
            DeviceMatrix rows = store.create(chunk);
            float[] values = new float[(int) rows.elementCount()];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) random.nextGaussian();
            }
            device.stream().copyToDevice(MemorySegment.ofArray(values), rows);
            store.store(chunk, rows);
        }
        device.stream().synchronize();
        return store;
    }

    private static ScaleSearch.Found search(
            Device device, Stage.Kind kind, LayerWeights weights, LayerObservation seen, LayerPass pass) {
        StageWeights in = weights.stage(kind);
        StageWeights out = weights.stage(Stage.Kind.values()[kind.ordinal() + 1]);
        DeviceMatrix dense = DeviceMatrix.allocate(
                device, "weights", DType.F32, in.stacked().rows(), in.stacked().columns());
        new ConvertKernels(device.stream()).convert(in.stacked(), dense);
        try (var buffer = dense.buffer();
                ModuleLoss loss = new ModuleLoss(device, pass.module(weights, kind), seen.kept(in.stage()), in, out)) {
            return new ScaleSearch(device, OPTIONS).search(dense, seen.mean(in.stage()), loss);
        }
    }

    private static double[] expected(
            Device device, ModelConfig config, Stage.Kind kind, LayerWeights weights, double[][] x) {
        double[][] in = read(device, weights.stage(kind).stacked());
        double[][] out = read(
                device, weights.stage(Stage.Kind.values()[kind.ordinal() + 1]).stacked());
        double[] means = new double[x[0].length];
        for (double[] token : x) {
            for (int i = 0; i < means.length; i++) {
                means[i] += Math.abs(token[i]) / x.length;
            }
        }
        double[] shares = ReferenceAwq.shares(in, GROUP);
        double[][] reference = module(config, kind, x, in, out);
        double[] losses = new double[RATIOS + 1];
        for (int k = 0; k <= RATIOS; k++) {
            double[] scales = ReferenceAwq.scales(means, shares, (k - 1) / (double) RATIOS, true);
            if (k == 0) {
                Arrays.fill(scales, 1);
            }
            double[][] changed = module(config, kind, x, ReferenceAwq.rounded(in, scales, GROUP, GRID), out);
            for (int token = 0; token < x.length; token++) {
                for (int i = 0; i < changed[token].length; i++) {
                    losses[k] += Math.pow(changed[token][i] - reference[token][i], 2);
                }
            }
        }
        return losses;
    }

    private static double[][] module(ModelConfig config, Stage.Kind kind, double[][] x, double[][] in, double[][] out) {
        double[][] projected = product(x, in);
        return product(
                kind == Stage.Kind.MLP_IN ? gated(projected, config.intermediateSize()) : attention(projected, config),
                out);
    }

    private static double[][] gated(double[][] projected, int inner) {
        double[][] gated = new double[projected.length][inner];
        for (int token = 0; token < gated.length; token++) {
            for (int i = 0; i < inner; i++) {
                double gate = projected[token][i];
                gated[token][i] = gate / (1 + Math.exp(-gate)) * projected[token][inner + i];
            }
        }
        return gated;
    }

    private static double[][] attention(double[][] projected, ModelConfig config) {
        int dim = config.headDim();
        int keysAt = config.queryWidth();
        int valuesAt = keysAt + config.keyValueWidth();
        double[][] result = new double[projected.length][config.queryWidth()];
        for (int token = 0; token < projected.length; token++) {
            int first = token / LENGTH * LENGTH;
            for (int head = 0; head < config.numAttentionHeads(); head++) {
                int shared = head / config.queriesPerKeyValueHead();
                double[] query = rotated(projected[token], head * dim, dim, token - first);
                double[] weights = new double[token - first + 1];
                double sum = 0;
                for (int other = first; other <= token; other++) {
                    double[] key = rotated(projected[other], keysAt + shared * dim, dim, other - first);
                    double score = 0;
                    for (int i = 0; i < dim; i++) {
                        score += query[i] * key[i];
                    }
                    weights[other - first] = Math.exp(score / Math.sqrt(dim));
                    sum += weights[other - first];
                }
                for (int other = first; other <= token; other++) {
                    for (int i = 0; i < dim; i++) {
                        result[token][head * dim + i] +=
                                weights[other - first] / sum * projected[other][valuesAt + shared * dim + i];
                    }
                }
            }
        }
        return result;
    }

    private static double[] rotated(double[] row, int from, int dim, int position) {
        double[] rotated = new double[dim];
        for (int i = 0; i < dim / 2; i++) {
            double angle = position * Math.pow(10_000, -2.0 * i / dim);
            double a = row[from + i];
            double b = row[from + i + dim / 2];
            rotated[i] = a * Math.cos(angle) - b * Math.sin(angle);
            rotated[i + dim / 2] = b * Math.cos(angle) + a * Math.sin(angle);
        }
        return rotated;
    }

    /** X times the transpose of a weight. */
    private static double[][] product(double[][] x, double[][] weight) {
        double[][] product = new double[x.length][weight.length];
        for (int token = 0; token < x.length; token++) {
            for (int row = 0; row < weight.length; row++) {
                for (int i = 0; i < x[token].length; i++) {
                    product[token][row] += x[token][i] * weight[row][i];
                }
            }
        }
        return product;
    }

    private static double[][] read(Device device, DeviceMatrix matrix) {
        float[] values = new float[(int) matrix.elementCount()];
        device.stream().copyToHost(matrix, MemorySegment.ofArray(values));
        device.stream().synchronize();
        double[][] rows = new double[matrix.rows()][matrix.columns()];
        for (int i = 0; i < values.length; i++) {
            rows[i / matrix.columns()][i % matrix.columns()] = values[i];
        }
        return rows;
    }

    /** Folding is not part of the search, but must not change what the model computes: divide, multiply, compare. */
    @Test
    void foldingLeavesTheModuleAsItIs() {
        double[][] x = {{1, -2, 0.5, 3}, {0.1, 0.4, -0.9, 2}};
        double[] norm = {1, 0.5, 2, -1};
        float[] scales = {2, 0.3f, 1.7f, 0.9f};
        float[] floats = {1, 0.5f, 2, -1};
        NormFold fold = NormFold.of(floats, scales, NormFlavour.WEIGHT, DType.BF16);
        double[][] weight = {{0.1, 0.2, 0.3, 0.4}, {-1, 2, 0.7, 0}};
        double[][] before = product(columns(x, norm), weight);
        double[] foldedNorm = new double[4];
        double[] factors = new double[4];
        for (int i = 0; i < 4; i++) {
            foldedNorm[i] = fold.values()[i];
            factors[i] = fold.scales()[i];
        }
        double[][] after = product(columns(x, foldedNorm), columns(weight, factors));
        for (int token = 0; token < 2; token++) {
            for (int i = 0; i < 2; i++) {
                assertThat(after[token][i]).isCloseTo(before[token][i], within(1e-6));
            }
        }
        assertThat(List.of(fold.scales()[1])).doesNotContain(scales[1]);
    }

    private static double[][] columns(double[][] matrix, double[] factors) {
        double[][] scaled = new double[matrix.length][];
        for (int row = 0; row < matrix.length; row++) {
            scaled[row] = matrix[row].clone();
            for (int i = 0; i < factors.length; i++) {
                scaled[row][i] *= factors[i];
            }
        }
        return scaled;
    }
}
