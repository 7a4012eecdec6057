package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;

/** Elementwise steps of a decoder layer. */
public final class ActivationKernels {

    private final Stream stream;
    private final KernelEntry swiglu;
    private final KernelEntry gegluTanh;
    private final KernelEntry addBias;
    private final KernelEntry residualAdd;
    private final KernelEntry softCap;

    public ActivationKernels(Stream stream) {
        this(stream, KernelFiles.module("activation.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    ActivationKernels(Stream stream, KernelModule kernels) {
        this.stream = stream;
        swiglu = kernels.entry("swiglu");
        gegluTanh = kernels.entry("geglu_tanh");
        addBias = kernels.entry("add_bias");
        residualAdd = kernels.entry("residual_add");
        softCap = kernels.entry("soft_cap");
    }

    /**
     * SwiGLU (Shazeer, arXiv 2002.05202): {@code out = gate / (1 + exp(-gate)) * up}. A gate below -88.7 gives zero, which
     * is right to 3e-37 times {@code up}; a gate of minus infinity gives NaN.
     *
     * @param gate F32 [rows, n]; may be a window
     * @param up F32 [rows, n] with the stride of {@code gate}
     * @param out F32, F16 or BF16 [rows, n], dense
     */
    public void swiglu(DeviceMatrix gate, DeviceMatrix up, DeviceMatrix out) {
        gated(swiglu, gate, up, out);
    }

    /**
     * GEGLU (Shazeer, arXiv 2002.05202) with the tanh form of GELU (Hendrycks and Gimpel, arXiv 1606.08415): {@code out = gate
     * / 2 (1 + tanh(sqrt(2 / pi) (gate + 0.044715 gate³))) * up}. A gate below about -10 gives zero, and one of minus infinity
     * gives NaN.
     *
     * @param gate F32 [rows, n]; may be a window
     * @param up F32 [rows, n] with the stride of {@code gate}
     * @param out F32, F16 or BF16 [rows, n], dense
     */
    public void gegluTanh(DeviceMatrix gate, DeviceMatrix up, DeviceMatrix out) {
        gated(gegluTanh, gate, up, out);
    }

    private void gated(KernelEntry kernel, DeviceMatrix gate, DeviceMatrix up, DeviceMatrix out) {
        TypeCode.require(gate, DType.F32, gate.rows(), gate.columns());
        TypeCode.require(up, DType.F32, gate.rows(), gate.columns());
        TypeCode.require(out, gate.rows(), gate.columns());
        TypeCode.requireDense(out);
        if (gate.stride() != up.stride()) {
            throw new IllegalArgumentException(gate + " and " + up + " have different strides");
        }
        if (out.elementCount() == 0) {
            return;
        }
        stream.launch(
                kernel,
                Grids.vectorsByRows(out.columns(), out.rows()),
                new KernelArguments()
                        .matrix(out)
                        .int32(TypeCode.of(out))
                        .matrix(gate)
                        .matrix(up)
                        .int32(gate.stride())
                        .int32(out.rows())
                        .int32(out.columns()));
    }

    /**
     * Adds a row to every row: {@code matrix[r, c] += bias[c]}.
     *
     * @param matrix F32 [rows, n]; may be a window
     * @param bias F32, F16 or BF16 [1, n]
     */
    public void addBias(DeviceMatrix matrix, DeviceMatrix bias) {
        TypeCode.require(matrix, DType.F32, matrix.rows(), matrix.columns());
        TypeCode.require(bias, 1, matrix.columns());
        if (matrix.elementCount() == 0) {
            return;
        }
        stream.launch(
                addBias,
                Grids.vectorsByRows(matrix.columns(), matrix.rows()),
                new KernelArguments()
                        .matrix(matrix)
                        .int32(matrix.stride())
                        .matrix(bias)
                        .int32(TypeCode.of(bias))
                        .int32(matrix.rows())
                        .int32(matrix.columns()));
    }

    /**
     * Adds to the residual stream: {@code hidden += delta}.
     *
     * @param hidden F32 [rows, n], dense
     * @param delta as {@code hidden}
     */
    public void residualAdd(DeviceMatrix hidden, DeviceMatrix delta) {
        TypeCode.require(hidden, DType.F32, hidden.rows(), hidden.columns());
        TypeCode.require(delta, DType.F32, hidden.rows(), hidden.columns());
        TypeCode.requireDense(hidden, delta);
        if (hidden.elementCount() == 0) {
            return;
        }
        stream.launch(
                residualAdd,
                Grids.elementwise(hidden.elementCount()),
                new KernelArguments().matrix(hidden).matrix(delta).int64(hidden.elementCount()));
    }

    /**
     * Bounds values smoothly: {@code x = cap * tanh(x / cap)}.
     *
     * @param x F32, dense; overwritten
     * @param cap positive and finite
     */
    public void softCap(DeviceMatrix x, float cap) {
        TypeCode.require(x, DType.F32, x.rows(), x.columns());
        TypeCode.requireDense(x);
        if (!(cap > 0) || Float.isInfinite(cap)) {
            throw new IllegalArgumentException("a cap of " + cap);
        }
        if (x.elementCount() == 0) {
            return;
        }
        stream.launch(
                softCap,
                Grids.elementwise(x.elementCount()),
                new KernelArguments().matrix(x).int64(x.elementCount()).float32(cap));
    }
}
