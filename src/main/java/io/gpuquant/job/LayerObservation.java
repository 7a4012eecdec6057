package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.AwqKernels;
import io.gpuquant.kernels.AwqKernels.Mean;
import io.gpuquant.kernels.HessianKernels;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageInputs;
import io.gpuquant.quantize.GramDiagonal;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Predicate;

/** What AWQ remembers of the inputs of a layer's stages: Gram matrices, sums of absolute values, and some inputs as they are. */
final class LayerObservation implements StageInputs, AutoCloseable {

    private final Device device;
    private final Peers peers;
    private final AwqKernels kernels;
    private final long tokens;
    private final SearchTokens searchTokens;
    private final Predicate<Stage> isWanted;
    private final Predicate<Stage> isKept;
    private final List<DeviceMatrix> owned = new ArrayList<>();
    private final Map<Stage, DeviceMatrix> grams = new LinkedHashMap<>();
    private final Map<Stage, DeviceMatrix> sums = new LinkedHashMap<>();
    private final Map<Stage, List<DeviceMatrix>> kept = new HashMap<>();

    /**
     * @param chunking of the sequences of this device
     * @param isWanted whether anything of a stage's inputs is
     * @param isKept whether some of a stage's inputs are needed as they are
     */
    LayerObservation(
            Device device, Peers peers, Chunking chunking, Predicate<Stage> isWanted, Predicate<Stage> isKept) {
        this.device = device;
        this.peers = peers;
        this.isWanted = isWanted;
        this.isKept = isKept;
        kernels = new AwqKernels(device.stream());
        int sequences = (int) peers.sum(chunking.sequences())[0];
        tokens = (long) sequences * chunking.sequenceLength();
        searchTokens = new SearchTokens(chunking, peers.seat(), sequences);
    }

    @Override
    public void input(Stage stage, int block, DeviceMatrix x) {
        if (!isWanted.test(stage)) {
            return;
        }
        DeviceMatrix gram =
                grams.computeIfAbsent(stage, key -> cleared("Gram matrix", DType.F32, stage.in(), stage.in()));
        DeviceMatrix sum =
                sums.computeIfAbsent(stage, key -> cleared("sums of inputs", DType.F32, AwqKernels.BANDS, stage.in()));
        device.blas().addGram(device.stream(), x, gram);
        kernels.addAbsoluteSums(x, sum);
        if (isKept.test(stage)) {
            searchTokens.of(block, x).forEach(rows -> keep(stage, rows));
        }
    }

    private void keep(Stage stage, DeviceMatrix x) {
        DeviceMatrix copy = DeviceMatrix.allocate(device, "inputs for the search", x.dtype(), x.rows(), x.columns());
        owned.add(copy);
        device.stream().copy(x.buffer(), x.byteOffset(), copy.buffer(), 0, x.byteSize());
        kept.computeIfAbsent(stage, key -> new ArrayList<>()).add(copy);
    }

    private DeviceMatrix cleared(String name, DType dtype, int rows, int columns) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, name, dtype, rows, columns);
        owned.add(matrix);
        device.stream().clear(matrix);
        return matrix;
    }

    /**
     * Ends the collection: Gram matrices and sums become those of all devices.
     *
     * @throws io.gpuquant.InputException when an input was not finite
     */
    void complete() {
        grams.forEach((stage, gram) -> {
            peers.sum(gram);
            peers.sum(Objects.requireNonNull(sums.get(stage)));
            GramDiagonal.requireFinite(device, gram, stage.linears().getFirst().name());
            new HessianKernels(device.stream()).symmetrize(gram);
        });
    }

    /** F32 [in, in], symmetric. */
    DeviceMatrix gram(Stage stage) {
        return Objects.requireNonNull(grams.get(stage));
    }

    /** The mean absolute input of each feature. */
    Mean mean(Stage stage) {
        return new Mean(Objects.requireNonNull(sums.get(stage)), tokens);
    }

    /** Some of this device's inputs as they were, whole sequences; there may be none. */
    List<DeviceMatrix> kept(Stage stage) {
        return kept.getOrDefault(stage, List.of());
    }

    @Override
    public void close() {
        owned.forEach(matrix -> matrix.buffer().close());
    }
}
