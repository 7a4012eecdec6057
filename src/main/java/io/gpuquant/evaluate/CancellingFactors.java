package io.gpuquant.evaluate;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.Stage;
import io.gpuquant.model.WeightSource;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The factors in a layer of a model that cancel against each other and so hide how near its weights are to a reference's. AWQ
 * divides a norm, or the rows of a linear, by what it multiplies the columns of the next linears by. Norms are there to be
 * compared. The rows' factors are in no file; those that bring the rows nearest to the reference's are taken, and given back
 * to the columns of the next linear, so that the layer computes what it did.
 */
final class CancellingFactors {

    private final DecoderLayer layer;
    private final float @Nullable [] attentionNorm;
    private final float @Nullable [] mlpNorm;
    private final boolean fitsRows;
    private double @Nullable [] rows;

    private CancellingFactors(
            DecoderLayer layer, float @Nullable [] attentionNorm, float @Nullable [] mlpNorm, boolean fitsRows) {
        this.layer = layer;
        this.attentionNorm = attentionNorm;
        this.mlpNorm = mlpNorm;
        this.fitsRows = fitsRows || attentionNorm != null || mlpNorm != null;
    }

    /** Compares the norms of a layer with the reference's. */
    static CancellingFactors of(Device device, DecoderLayer layer, EvaluatedModel reference, EvaluatedModel model) {
        int width = reference.structure().config().hiddenSize();
        return new CancellingFactors(
                layer,
                quotient(device, layer.attentionNorm(), width, reference, model),
                quotient(device, layer.mlpNorm(), width, reference, model),
                model.isScaled());
    }

    /** What a norm is of the reference's, feature by feature; null when they are equal. */
    private static float @Nullable [] quotient(
            Device device, String norm, int width, EvaluatedModel reference, EvaluatedModel model) {
        float[] theirs = load(device, norm, width, reference.weights());
        float[] ours = load(device, norm, width, model.weights());
        if (Arrays.equals(ours, theirs)) {
            return null;
        }
        float[] quotient = new float[width];
        for (int i = 0; i < width; i++) {
            quotient[i] = theirs[i] == 0 ? 1 : ours[i] / theirs[i];
        }
        return quotient;
    }

    private static float[] load(Device device, String tensor, int width, WeightSource source) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, tensor, DType.F32, 1, width);
        float[] values = new float[width];
        try (DeviceBuffer buffer = matrix.buffer()) {
            source.load(tensor, matrix);
            device.stream().copyToHost(buffer, 0, MemorySegment.ofArray(values));
            device.stream().synchronize();
        }
        return values;
    }

    /** What the columns of a stage's linears have to be multiplied by. */
    double[] columns(Stage stage) {
        double[] factors = new double[stage.in()];
        Arrays.fill(factors, 1);
        float[] norm = switch (stage.kind()) {
            case ATTENTION_IN -> attentionNorm;
            case MLP_IN -> mlpNorm;
            case ATTENTION_OUT, MLP_OUT -> null;
        };
        if (norm != null) {
            Arrays.setAll(factors, i -> norm[i]);
        } else if (rows != null && !isFedByNorm(stage)) {
            System.arraycopy(rows, 0, factors, 0, factors.length);
        }
        return factors;
    }

    /** Whether the rows of a linear may carry factors: its outputs then are, feature by feature, the inputs of the next stage. */
    boolean fitsRows(Stage stage, LinearSpec linear) {
        if (!fitsRows || !isFedByNorm(stage) || !linear.equals(stage.linears().getLast())) {
            return false;
        }
        int next = layer.stages().indexOf(stage) + 1;
        return next < layer.stages().size() && layer.stages().get(next).in() == linear.out();
    }

    /** Takes the factors of a linear's rows, for the columns of the next stage; null for ones. */
    void found(double @Nullable [] factors) {
        rows = factors;
    }

    private static boolean isFedByNorm(Stage stage) {
        return stage.kind() == Stage.Kind.ATTENTION_IN || stage.kind() == Stage.Kind.MLP_IN;
    }
}
