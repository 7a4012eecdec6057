package io.gpuquant.model;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.kernels.ActivationKernels;
import io.gpuquant.kernels.NormKernels;
import io.gpuquant.tensor.DType;

/** The residual stream after the last layer into logits, a few rows at a time. */
public final class OutputHead implements AutoCloseable {

    /** Memory for logits. */
    private static final long LOGIT_BYTES = 128L << 20;

    private final Device device;
    private final ModelConfig config;
    private final NormKernels norms;
    private final ActivationKernels activations;
    private final NormWeights norm;
    private final DeviceMatrix head;
    private final DeviceMatrix normalized;
    private final DeviceMatrix logits;

    /**
     * Loads the final norm and the output head.
     *
     * @param operandType the type of the operands of matrix products
     */
    @SuppressWarnings("this-escape") // Closing what was allocated before a failure needs no more than the fields above.
    public OutputHead(Device device, ModelStructure structure, WeightSource source, DType operandType) {
        this.device = device;
        config = structure.config();
        norms = new NormKernels(device.stream());
        activations = new ActivationKernels(device.stream());
        int rows = (int) Math.clamp(LOGIT_BYTES / DType.F32.bytes(config.vocabSize()), 1, 2048);
        norm = NormWeights.load(device, structure.finalNorm(), source, config.hiddenSize());
        head = DeviceMatrix.allocate(
                device, structure.outputHead(), operandType, config.vocabSize(), config.hiddenSize());
        normalized = DeviceMatrix.allocate(device, "normalized activations", operandType, rows, config.hiddenSize());
        logits = DeviceMatrix.allocate(device, "logits", DType.F32, rows, config.vocabSize());
        boolean complete = false;
        try {
            source.load(structure.outputHead(), head);
            complete = true;
        } finally {
            if (!complete) {
                close();
            }
        }
    }

    /** The type of the operands of matrix products. */
    public DType operandType() {
        return head.dtype();
    }

    /** The most rows that {@link #logits} takes. */
    public int mostRows() {
        return logits.rows();
    }

    /**
     * Logits of some tokens.
     *
     * @param hidden F32 [rows, hidden size], dense
     * @return F32 [rows, vocabulary], dense, valid until the next call
     */
    public DeviceMatrix logits(DeviceMatrix hidden) {
        DeviceMatrix x = normalize(hidden);
        DeviceMatrix out = logits.rows(0, hidden.rows());
        device.blas().gemm(device.stream(), Gemm.ofTransposedB(x, head, out));
        if (config.finalCap() > 0) {
            activations.softCap(out, (float) config.finalCap());
        }
        return out;
    }

    /** What enters the output head: the normalized residual stream, operand type [rows, hidden size], valid until the next call. */
    public DeviceMatrix normalize(DeviceMatrix hidden) {
        DeviceMatrix x = normalized.rows(0, hidden.rows());
        norms.rmsNorm(hidden, norm.factor(), (float) config.rmsNormEps(), x);
        return x;
    }

    @Override
    public void close() {
        logits.buffer().close();
        normalized.buffer().close();
        head.buffer().close();
        norm.close();
    }
}
