package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;

/** Token embeddings. */
public final class EmbeddingKernels {

    private final Stream stream;
    private final KernelEntry embeddingGather;

    public EmbeddingKernels(Stream stream) {
        this(stream, KernelFiles.module("embedding.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    EmbeddingKernels(Stream stream, KernelModule kernels) {
        this.stream = stream;
        embeddingGather = kernels.entry("embedding_gather");
    }

    /**
     * Looks up rows: {@code hidden[t] = table[ids[t]] * scale}, in float32.
     *
     * @param table F32, F16 or BF16 [vocabulary, width]
     * @param ids I32 [1, tokens], every entry below the vocabulary size
     * @param scale 1 for the rows as they are
     * @param hidden F32 [tokens, width], dense
     */
    public void gather(DeviceMatrix table, DeviceMatrix ids, float scale, DeviceMatrix hidden) {
        TypeCode.require(ids, DType.I32, 1, hidden.rows());
        TypeCode.require(hidden, DType.F32, hidden.rows(), table.columns());
        TypeCode.requireDense(table, hidden);
        if (hidden.elementCount() == 0) {
            return;
        }
        stream.launch(
                embeddingGather,
                Grids.vectorsByRows(hidden.columns(), hidden.rows()),
                new KernelArguments()
                        .matrix(hidden)
                        .matrix(table)
                        .int32(TypeCode.of(table))
                        .matrix(ids)
                        .int32(hidden.rows())
                        .int32(hidden.columns())
                        .float32(scale));
    }
}
