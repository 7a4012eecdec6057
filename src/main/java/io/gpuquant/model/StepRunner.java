package io.gpuquant.model;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.kernels.ActivationKernels;
import io.gpuquant.kernels.NormKernels;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** The steps of a decoder layer on one chunk of tokens, and the work space they share. */
final class StepRunner implements AutoCloseable {

    private final Device device;
    private final ModelConfig config;
    private final Chunking chunking;
    private final Attention attention;
    private final NormKernels norms;
    private final ActivationKernels activations;
    private final List<DeviceMatrix> owned = new ArrayList<>();
    private final DeviceMatrix normalized;
    private final DeviceMatrix projected;
    private final DeviceMatrix gateAndUp;
    private final DeviceMatrix delta;

    StepRunner(
            Device device,
            ModelConfig config,
            Function<RopeParameters, RotaryEmbedding> ropes,
            DType operandType,
            Chunking chunking) {
        this.device = device;
        this.config = config;
        this.chunking = chunking;
        norms = new NormKernels(device.stream());
        activations = new ActivationKernels(device.stream());
        int tokens = chunking.mostTokens();
        normalized = allocate("normalized activations", operandType, tokens, config.hiddenSize());
        projected = allocate(
                "queries, keys and values", DType.F32, tokens, config.queryWidth() + 2 * config.keyValueWidth());
        gateAndUp = allocate("gate and up", DType.F32, tokens, 2 * config.widestInner());
        delta = allocate("layer output", DType.F32, tokens, config.hiddenSize());
        attention = new Attention(device, config, ropes, operandType, chunking);
    }

    private DeviceMatrix allocate(String name, DType dtype, int rows, int columns) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, name, dtype, rows, columns);
        owned.add(matrix);
        return matrix;
    }

    /** The normalized residual stream in the operand type; valid until the next call. */
    DeviceMatrix normalize(DeviceMatrix hidden, DeviceMatrix weight) {
        DeviceMatrix out = normalized.rows(0, hidden.rows());
        norms.rmsNorm(hidden, weight, (float) config.rmsNormEps(), out);
        return out;
    }

    /** The same into memory that stays. */
    void normalize(DeviceMatrix hidden, DeviceMatrix weight, DeviceMatrix out) {
        norms.rmsNorm(hidden, weight, (float) config.rmsNormEps(), out);
    }

    /** From the normalized residual stream to the input of the attention's output projection. */
    void attend(DeviceMatrix x, LayerWeights layer, StageWeights weights, DeviceMatrix out) {
        attention.apply(multiply(x, weights, projected.rows(0, x.rows())), layer, out);
    }

    /** From the normalized residual stream to the input of the down projection. */
    void activate(DeviceMatrix x, StageWeights weights, DeviceMatrix out) {
        int inner = weights.stage().handedOn();
        DeviceMatrix product = multiply(
                x,
                weights,
                DeviceMatrix.of(
                        gateAndUp.buffer(), DType.F32, x.rows(), weights.stage().out()));
        DeviceMatrix gate = product.columns(0, inner);
        DeviceMatrix up = product.columns(inner, inner);
        switch (config.activation()) {
            case SILU -> activations.swiglu(gate, up, out);
            case GELU_TANH -> activations.gegluTanh(gate, up, out);
        }
    }

    /**
     * Adds the output of a projection to the residual stream.
     *
     * @param norm of what is added
     */
    void addProjection(DeviceMatrix x, StageWeights weights, Optional<NormWeights> norm, DeviceMatrix hidden) {
        DeviceMatrix product = multiply(x, weights, delta.rows(0, x.rows()));
        norm.ifPresent(after -> normalize(product, after.factor(), product));
        activations.residualAdd(hidden, product);
    }

    /** What a projection adds to the residual stream, before the norm of it that some families have. */
    void project(DeviceMatrix x, StageWeights weights, DeviceMatrix out) {
        multiply(x, weights, out);
    }

    /** The same in memory that the next step may take. */
    DeviceMatrix project(DeviceMatrix x, StageWeights weights) {
        return multiply(x, weights, delta.rows(0, x.rows()));
    }

    private DeviceMatrix multiply(DeviceMatrix x, StageWeights weights, DeviceMatrix product) {
        List<DeviceMatrix> inputs = chunking.blocks(x);
        List<DeviceMatrix> outputs = chunking.blocks(product);
        for (int i = 0; i < inputs.size(); i++) {
            device.blas().gemm(device.stream(), Gemm.ofTransposedB(inputs.get(i), weights.stacked(), outputs.get(i)));
        }
        DeviceMatrix bias = weights.bias();
        if (bias != null) {
            activations.addBias(product, bias);
        }
        return product;
    }

    @Override
    public void close() {
        attention.close();
        owned.forEach(matrix -> matrix.buffer().close());
    }
}
