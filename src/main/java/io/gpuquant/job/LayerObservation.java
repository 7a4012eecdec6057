package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.AwqKernels;
import io.gpuquant.kernels.AwqKernels.Mean;
import io.gpuquant.kernels.HessianKernels;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageInputs;
import io.gpuquant.quantize.GramDiagonal;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Predicate;

/** What AWQ remembers of the inputs of a layer's stages: Gram matrices, sums of absolute values, and some inputs as they are. */
final class LayerObservation implements StageInputs, AutoCloseable {

    /**
     * Tokens that the output of a module is compared for, about. Whole blocks, evenly spread over the calibration set, whose
     * order is already random; with no more tokens than this, all of them.
     */
    static final int SEARCH_TOKENS = 8192;

    private final Device device;
    private final Chunking chunking;
    private final AwqKernels kernels;
    private final List<Integer> searchBlocks;
    private final Predicate<Stage> isWanted;
    private final Predicate<Stage> isKept;
    private final List<DeviceMatrix> owned = new ArrayList<>();
    private final Map<Stage.Kind, DeviceMatrix> grams = new EnumMap<>(Stage.Kind.class);
    private final Map<Stage.Kind, DeviceMatrix> sums = new EnumMap<>(Stage.Kind.class);
    private final Map<Stage.Kind, List<DeviceMatrix>> kept = new EnumMap<>(Stage.Kind.class);

    /**
     * @param isWanted whether anything of a stage's inputs is
     * @param isKept whether some of a stage's inputs are needed as they are
     */
    LayerObservation(Device device, Chunking chunking, Predicate<Stage> isWanted, Predicate<Stage> isKept) {
        this.device = device;
        this.chunking = chunking;
        this.isWanted = isWanted;
        this.isKept = isKept;
        kernels = new AwqKernels(device.stream());
        searchBlocks = searchBlocks(chunking);
    }

    /** Whole blocks, evenly spread. */
    static List<Integer> searchBlocks(Chunking chunking) {
        int wanted = Math.clamp(SEARCH_TOKENS / chunking.blockTokens(), 1, chunking.blocks());
        List<Integer> blocks = new ArrayList<>();
        for (int i = 0; i < wanted; i++) {
            blocks.add((int) ((long) i * chunking.blocks() / wanted));
        }
        return blocks;
    }

    @Override
    public void input(Stage stage, int block, DeviceMatrix x) {
        if (!isWanted.test(stage)) {
            return;
        }
        DeviceMatrix gram =
                grams.computeIfAbsent(stage.kind(), kind -> cleared("Gram matrix", DType.F32, stage.in(), stage.in()));
        DeviceMatrix sum = sums.computeIfAbsent(
                stage.kind(), kind -> cleared("sums of inputs", DType.F32, AwqKernels.BANDS, stage.in()));
        device.blas().addGram(device.stream(), x, gram);
        kernels.addAbsoluteSums(x, sum);
        if (isKept.test(stage) && searchBlocks.contains(block)) {
            DeviceMatrix copy =
                    DeviceMatrix.allocate(device, "inputs for the search", x.dtype(), x.rows(), x.columns());
            owned.add(copy);
            device.stream().copy(x.buffer(), x.byteOffset(), copy.buffer(), 0, x.byteSize());
            kept.computeIfAbsent(stage.kind(), kind -> new ArrayList<>()).add(copy);
        }
    }

    private DeviceMatrix cleared(String name, DType dtype, int rows, int columns) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, name, dtype, rows, columns);
        owned.add(matrix);
        device.stream().clear(matrix);
        return matrix;
    }

    /**
     * Ends the collection.
     *
     * @throws io.gpuquant.InputException when an input was not finite
     */
    void complete(DecoderLayer layer) {
        grams.forEach((kind, gram) -> {
            GramDiagonal.requireFinite(
                    device, gram, layer.stage(kind).linears().getFirst().name());
            new HessianKernels(device.stream()).symmetrize(gram);
        });
    }

    /** F32 [in, in], symmetric. */
    DeviceMatrix gram(Stage.Kind kind) {
        return Objects.requireNonNull(grams.get(kind));
    }

    /** The mean absolute input of each feature. */
    Mean mean(Stage.Kind kind) {
        return new Mean(Objects.requireNonNull(sums.get(kind)), chunking.totalTokens());
    }

    /** Some inputs as they were, block by block. */
    List<DeviceMatrix> kept(Stage.Kind kind) {
        return kept.getOrDefault(kind, List.of());
    }

    @Override
    public void close() {
        owned.forEach(matrix -> matrix.buffer().close());
    }
}
