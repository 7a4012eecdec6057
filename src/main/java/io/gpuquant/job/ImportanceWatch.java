package io.gpuquant.job;

import io.gpuquant.InputException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.gguf.ImportanceMatrix;
import io.gpuquant.kernels.AwqKernels;
import io.gpuquant.llamacpp.TensorMap;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageInputs;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Sums the squares of what enters the linears of layer after layer, feature by feature, under the names that llama.cpp has for
 * them.
 */
final class ImportanceWatch implements StageInputs, AutoCloseable {

    private final Device device;
    private final ModelConfig config;
    private final AwqKernels kernels;
    private final Map<Stage, Sums> sums = new LinkedHashMap<>();

    ImportanceWatch(Device device, ModelConfig config) {
        this.device = device;
        this.config = config;
        kernels = new AwqKernels(device.stream());
    }

    /** Squares in bands, and how many tokens they are of. */
    private static final class Sums {

        private final DeviceMatrix bands;
        private long tokens;

        Sums(DeviceMatrix bands) {
            this.bands = bands;
        }
    }

    @Override
    public void input(Stage stage, int block, DeviceMatrix x) {
        add(stage, x);
    }

    /** Adds the squares of some tokens. @param x the input of the stage's linears, [tokens, in] */
    void add(Stage stage, DeviceMatrix x) {
        Sums sum = sums.computeIfAbsent(stage, key -> new Sums(cleared(key.in())));
        kernels.addSquareSums(x, sum.bands);
        sum.tokens += x.rows();
    }

    private DeviceMatrix cleared(int columns) {
        DeviceMatrix matrix =
                DeviceMatrix.allocate(device, "sums of squares of inputs", DType.F32, AwqKernels.BANDS, columns);
        device.stream().clear(matrix);
        return matrix;
    }

    /**
     * What was summed since the last call; experts that no token came to count none.
     *
     * @param stages all that there are in the layer
     * @throws InputException when an input was not finite
     */
    List<ImportanceMatrix.Entry> takeEntries(List<Stage> stages) {
        Map<String, TreeMap<Integer, Part>> parts = new TreeMap<>();
        for (Stage stage : stages) {
            Part part = part(stage);
            for (LinearSpec linear : stage.linears()) {
                TensorMap.weightName(config, linear.name())
                        .ifPresent(name -> parts.computeIfAbsent(name, key -> new TreeMap<>())
                                .put(stage.expert().orElse(0), part));
            }
        }
        List<ImportanceMatrix.Entry> entries = new ArrayList<>();
        parts.forEach((name, experts) -> entries.add(entry(name, List.copyOf(experts.values()))));
        close();
        return entries;
    }

    @SuppressWarnings("ArrayRecordComponent") // Bulk data that is made once and only read.
    private record Part(float[] squares, float tokens) {}

    private static ImportanceMatrix.Entry entry(String name, List<Part> parts) {
        int columns = parts.getFirst().squares().length;
        float[] squares = new float[columns * parts.size()];
        float[] counts = new float[parts.size()];
        for (int i = 0; i < parts.size(); i++) {
            System.arraycopy(parts.get(i).squares(), 0, squares, i * columns, columns);
            counts[i] = parts.get(i).tokens();
        }
        return new ImportanceMatrix.Entry(name, columns, squares, counts);
    }

    private Part part(Stage stage) {
        float[] squares = new float[stage.in()];
        Sums sum = sums.get(stage);
        if (sum == null) {
            return new Part(squares, 0);
        }
        float[] bands = new float[AwqKernels.BANDS * stage.in()];
        device.stream().copyToHost(sum.bands, MemorySegment.ofArray(bands));
        device.stream().synchronize();
        for (int column = 0; column < squares.length; column++) {
            double total = 0;
            for (int band = 0; band < AwqKernels.BANDS; band++) {
                total += bands[band * squares.length + column];
            }
            squares[column] = (float) total;
            if (!Float.isFinite(squares[column])) {
                throw new InputException("input feature " + column + " of "
                        + stage.linears().getFirst().name()
                        + " is not a finite number for some token of the text; the checkpoint is damaged, or its"
                        + " activations exceed the range of its type");
            }
        }
        return new Part(squares, sum.tokens);
    }

    @Override
    public void close() {
        sums.values().forEach(sum -> sum.bands.buffer().close());
        sums.clear();
    }
}
