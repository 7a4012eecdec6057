package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;

/**
 * Mixtures of experts: which experts a token goes to, and its row there and back. A slot is one of the experts of a token:
 * {@code slot = token * chosen + place}.
 */
public final class ExpertKernels {

    private final Stream stream;
    private final KernelEntry routeTopK;
    private final KernelEntry gatherRows;
    private final KernelEntry scatterAddRows;

    public ExpertKernels(Stream stream) {
        this(stream, KernelFiles.module("moe.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    ExpertKernels(Stream stream, KernelModule kernels) {
        this.stream = stream;
        routeTopK = kernels.entry("route_top_k");
        gatherRows = kernels.entry("gather_rows");
        scatterAddRows = kernels.entry("scatter_add_rows");
    }

    /** What shares of a token's experts add up to. */
    public enum Shares {
        /** The softmax over all experts, of which the chosen ones have a part. */
        OF_ALL,
        /** One. */
        OF_CHOSEN
    }

    /**
     * Chooses the experts of each token: those with the largest logits, the largest first, of equal ones the first.
     *
     * @param logits F32 [tokens, experts], dense
     * @param ids I32 [tokens, chosen], dense; gets the experts
     * @param shares F32 [tokens, chosen], dense; gets their softmax
     */
    public void route(DeviceMatrix logits, Shares kind, DeviceMatrix ids, DeviceMatrix shares) {
        TypeCode.require(logits, DType.F32, ids.rows(), logits.columns());
        TypeCode.require(ids, DType.I32, ids.rows(), ids.columns());
        TypeCode.require(shares, DType.F32, ids.rows(), ids.columns());
        TypeCode.requireDense(logits, ids, shares);
        if (ids.columns() > logits.columns()) {
            throw new IllegalArgumentException(ids.columns() + " of " + logits.columns() + " experts");
        }
        if (ids.elementCount() == 0) {
            return;
        }
        stream.launch(
                routeTopK,
                Grids.warpPerRow(logits.rows()),
                new KernelArguments()
                        .matrix(ids)
                        .matrix(shares)
                        .matrix(logits)
                        .int32(logits.rows())
                        .int32(logits.columns())
                        .int32(ids.columns())
                        .int32(kind == Shares.OF_CHOSEN ? 1 : 0));
    }

    /**
     * Collects the rows of tokens: {@code out[i] = in[slots[i] / chosen]}.
     *
     * @param in F32, F16 or BF16 [tokens, n], dense
     * @param slots I32 [1, rows of {@code out}]
     * @param out of the type of {@code in} [count, n], dense
     */
    public void gather(DeviceMatrix in, DeviceMatrix slots, int chosen, DeviceMatrix out) {
        TypeCode.require(slots, DType.I32, 1, out.rows());
        TypeCode.require(out, in.dtype(), out.rows(), in.columns());
        TypeCode.requireDense(in, out);
        if (out.elementCount() == 0) {
            return;
        }
        long rowBytes = in.dtype().bytes(in.columns());
        int unit = rowBytes % Integer.BYTES == 0 && in.address() % Integer.BYTES == 0 ? Integer.BYTES : Short.BYTES;
        int units = Math.toIntExact(rowBytes / unit);
        stream.launch(
                gatherRows,
                Grids.columnsByRows(units, out.rows()),
                new KernelArguments()
                        .matrix(out)
                        .matrix(in)
                        .matrix(slots)
                        .int32(out.rows())
                        .int32(units)
                        .int32(chosen)
                        .int32(unit));
    }

    /**
     * Adds rows to those of their tokens: {@code hidden[slots[i] / chosen] += shares[slots[i]] * delta[i]}.
     *
     * @param delta F32 [count, n], dense
     * @param shares F32 [tokens, chosen], dense
     * @param slots I32 [1, count], of tokens that differ
     * @param hidden F32 [tokens, n], dense
     */
    public void scatterAdd(DeviceMatrix delta, DeviceMatrix shares, DeviceMatrix slots, DeviceMatrix hidden) {
        TypeCode.require(delta, DType.F32, delta.rows(), hidden.columns());
        TypeCode.require(hidden, DType.F32, hidden.rows(), hidden.columns());
        TypeCode.require(shares, DType.F32, hidden.rows(), shares.columns());
        TypeCode.require(slots, DType.I32, 1, delta.rows());
        TypeCode.requireDense(delta, shares, hidden);
        if (delta.elementCount() == 0) {
            return;
        }
        stream.launch(
                scatterAddRows,
                Grids.columnsByRows(hidden.columns(), delta.rows()),
                new KernelArguments()
                        .matrix(hidden)
                        .matrix(delta)
                        .matrix(shares)
                        .matrix(slots)
                        .int32(delta.rows())
                        .int32(hidden.columns())
                        .int32(shares.columns()));
    }
}
