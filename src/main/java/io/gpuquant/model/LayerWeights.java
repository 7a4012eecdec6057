package io.gpuquant.model;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The weights of one decoder layer on the device. */
public final class LayerWeights implements AutoCloseable {

    private final DecoderLayer layer;
    private final List<DeviceMatrix> owned = new ArrayList<>();
    private final List<NormWeights> norms = new ArrayList<>();
    private final Map<Stage, StageWeights> stages = new HashMap<>();
    private final @Nullable DeviceMatrix router;

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
            layer.norms().ofStream().forEach(norm -> norms.add(NormWeights.load(device, norm, source, hiddenSize)));
            for (Norm norm : layer.norms().ofHeads()) {
                norms.add(NormWeights.load(device, norm, source, layer.headDim()));
            }
            for (Stage stage : layer.stages()) {
                stages.put(stage, loadStage(device, stage, source, operandType));
            }
            router = layer.router().isEmpty()
                    ? null
                    : loadRouter(device, layer.router().get().linear(), source, operandType);
            complete = true;
        } finally {
            if (!complete) {
                close();
            }
        }
    }

    private DeviceMatrix loadRouter(Device device, LinearSpec linear, WeightSource source, DType operandType) {
        DeviceMatrix weight = allocate(device, linear.weightName(), operandType, linear.out(), linear.in());
        source.load(linear.weightName(), weight);
        return weight;
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

    /** The weights of the stage of a kind; of the first expert where there are several. */
    public StageWeights stage(Stage.Kind kind) {
        return stage(layer.stage(kind));
    }

    /** The weights of a stage of the layer. */
    public StageWeights stage(Stage stage) {
        return Objects.requireNonNull(stages.get(stage));
    }

    /** The weight of one of the layer's norms. */
    public NormWeights norm(Norm norm) {
        return norms.stream()
                .filter(weights -> weights.norm().equals(norm))
                .findFirst()
                .orElseThrow();
    }

    /** What the norm before the attention multiplies by, F32 [1, hidden size]. */
    public DeviceMatrix attentionNorm() {
        return norm(layer.norms().attention()).factor();
    }

    /** What the norm before the MLP multiplies by, F32 [1, hidden size]. */
    public DeviceMatrix mlpNorm() {
        return norm(layer.norms().mlp()).factor();
    }

    /** The weight of the router, operand type [experts, hidden size]. */
    public DeviceMatrix router() {
        return Objects.requireNonNull(router);
    }

    @Override
    public void close() {
        norms.forEach(NormWeights::close);
        owned.forEach(matrix -> matrix.buffer().close());
    }
}
