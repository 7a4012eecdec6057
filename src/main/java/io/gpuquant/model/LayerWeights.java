package io.gpuquant.model;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The weights of one decoder layer on the device. */
public final class LayerWeights implements AutoCloseable {

    private final DecoderLayer layer;
    private final List<DeviceMatrix> owned = new ArrayList<>();
    private final List<StageWeights> stages = new ArrayList<>();
    private final DeviceMatrix attentionNorm;
    private final DeviceMatrix mlpNorm;

    /**
     * Loads a layer.
     *
     * @param operandType the type of the linears' weights on the device
     */
    @SuppressWarnings("this-escape") // Closing what was loaded before a failure needs no more than the fields above.
    public LayerWeights(Device device, DecoderLayer layer, WeightSource source, DType operandType, int hiddenSize) {
        this.layer = layer;
        boolean complete = false;
        try {
            attentionNorm = load(device, source, layer.attentionNorm(), DType.F32, 1, hiddenSize);
            mlpNorm = load(device, source, layer.mlpNorm(), DType.F32, 1, hiddenSize);
            for (Stage stage : layer.stages()) {
                stages.add(loadStage(device, stage, source, operandType));
            }
            complete = true;
        } finally {
            if (!complete) {
                close();
            }
        }
    }

    private DeviceMatrix load(Device device, WeightSource source, String tensor, DType dtype, int rows, int columns) {
        DeviceMatrix matrix = allocate(device, tensor, dtype, rows, columns);
        source.load(tensor, matrix);
        return matrix;
    }

    private DeviceMatrix allocate(Device device, String name, DType dtype, int rows, int columns) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, name, dtype, rows, columns);
        owned.add(matrix);
        return matrix;
    }

    private StageWeights loadStage(Device device, Stage stage, WeightSource source, DType operandType) {
        String name = "weights of layer " + layer.index() + " "
                + stage.kind().name().toLowerCase(java.util.Locale.ROOT).replace('_', ' ');
        StageWeights weights = new StageWeights(
                stage, allocate(device, name, operandType, stage.out(), stage.in()), bias(device, stage, name));
        for (int i = 0; i < stage.linears().size(); i++) {
            LinearSpec linear = stage.linears().get(i);
            source.load(linear.weightName(), weights.weight(i));
            DeviceMatrix bias = weights.bias();
            if (bias != null && linear.bias()) {
                source.load(linear.biasName(), bias.columns(stage.offset(i), linear.out()));
            }
        }
        return weights;
    }

    private @Nullable DeviceMatrix bias(Device device, Stage stage, String name) {
        if (!stage.hasBias()) {
            return null;
        }
        DeviceMatrix bias = allocate(device, "biases, " + name, DType.F32, 1, stage.out());
        device.stream().clear(bias);
        return bias;
    }

    /** The layer these are the weights of. */
    public DecoderLayer layer() {
        return layer;
    }

    /** The weights of a stage. */
    public StageWeights stage(Stage.Kind kind) {
        return stages.get(kind.ordinal());
    }

    /** The weight of the norm before the attention, F32 [1, hidden size]. */
    public DeviceMatrix attentionNorm() {
        return attentionNorm;
    }

    /** The weight of the norm before the MLP, F32 [1, hidden size]. */
    public DeviceMatrix mlpNorm() {
        return mlpNorm;
    }

    @Override
    public void close() {
        owned.forEach(matrix -> matrix.buffer().close());
    }
}
