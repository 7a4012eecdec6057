package io.gpuquant.model;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.kernels.ActivationKernels;
import io.gpuquant.kernels.NormKernels;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;

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

    StepRunner(Device device, ModelConfig config, RotaryEmbedding rope, DType operandType, Chunking chunking) {
        this.device = device;
        this.config = config;
        this.chunking = chunking;
        norms = new NormKernels(device.stream());
        activations = new ActivationKernels(device.stream());
        int tokens = chunking.mostTokens();
        normalized = allocate("normalized activations", operandType, tokens, config.hiddenSize());
        projected = allocate(
                "queries, keys and values", DType.F32, tokens, config.queryWidth() + 2 * config.keyValueWidth());
        gateAndUp = allocate("gate and up", DType.F32, tokens, 2 * config.intermediateSize());
        delta = allocate("layer output", DType.F32, tokens, config.hiddenSize());
        attention = new Attention(device, config, rope, operandType, chunking);
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

    /** From the normalized residual stream to the input of the attention's output projection. */
    void attend(DeviceMatrix x, StageWeights weights, DeviceMatrix out) {
        attention.apply(multiply(x, weights, projected.rows(0, x.rows())), out);
    }

    /** From the normalized residual stream to the input of the down projection. */
    void activate(DeviceMatrix x, StageWeights weights, DeviceMatrix out) {
        DeviceMatrix product = multiply(x, weights, gateAndUp.rows(0, x.rows()));
        int inner = config.intermediateSize();
        switch (config.activation()) {
            case SILU -> activations.swiglu(product.columns(0, inner), product.columns(inner, inner), out);
        }
    }

    /** Adds the output of a projection to the residual stream. */
    void addProjection(DeviceMatrix x, StageWeights weights, DeviceMatrix hidden) {
        activations.residualAdd(hidden, multiply(x, weights, delta.rows(0, x.rows())));
    }

    /** What a projection adds to the residual stream. */
    void project(DeviceMatrix x, StageWeights weights, DeviceMatrix out) {
        multiply(x, weights, out);
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
