package io.gpuquant.model;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.EmbeddingKernels;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;

/** Token ids into the residual stream before the first layer. */
public final class Embedding {

    private Embedding() {}

    /** The ids of a sequence, as many as the chunking has tokens in one. */
    @FunctionalInterface
    public interface Sequences {
        int[] ids(int sequence);
    }

    /**
     * Fills the residual stream.
     *
     * @param hidden F32 [tokens, hidden size]
     * @throws IllegalArgumentException when a token is not in the vocabulary
     */
    public static void fill(
            Device device, ModelStructure structure, WeightSource source, Sequences sequences, ActivationStore hidden) {
        ModelConfig config = structure.config();
        Chunking chunking = hidden.chunking();
        DeviceMatrix table = DeviceMatrix.allocate(
                device,
                structure.embedding(),
                source.dtype(structure.embedding()),
                config.vocabSize(),
                config.hiddenSize());
        DeviceMatrix ids = DeviceMatrix.allocate(device, "token ids", DType.I32, 1, chunking.mostTokens());
        EmbeddingKernels kernels = new EmbeddingKernels(device.stream());
        try (var tableBuffer = table.buffer();
                var idBuffer = ids.buffer()) {
            source.load(structure.embedding(), table);
            float scale = scale(config, table.dtype());
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                DeviceMatrix chunkIds = ids.columns(0, chunking.tokens(chunk));
                device.stream()
                        .copyToDevice(
                                MemorySegment.ofArray(gather(chunking, chunk, sequences, config.vocabSize())),
                                chunkIds);
                DeviceMatrix rows = hidden.create(chunk);
                kernels.gather(table, chunkIds, scale, rows);
                hidden.store(chunk, rows);
            }
        }
    }

    /** What rows are multiplied by, rounded as transformers does it to the type of the model. */
    static float scale(ModelConfig config, DType dtype) {
        if (!config.family().has(ModelFamily.Trait.SCALED_EMBEDDING)) {
            return 1;
        }
        MemorySegment rounded = MemorySegment.ofArray(new byte[(int) dtype.bytes(1)]);
        Elements.setFloat(rounded, dtype, 0, (float) Math.sqrt(config.hiddenSize()));
        return Elements.floatAt(rounded, dtype, 0);
    }

    private static int[] gather(Chunking chunking, int chunk, Sequences sequences, int vocabulary) {
        int[] ids = new int[chunking.tokens(chunk)];
        for (int i = 0; i < chunking.sequences(chunk); i++) {
            System.arraycopy(
                    sequences.ids(chunking.firstSequence(chunk) + i),
                    0,
                    ids,
                    i * chunking.sequenceLength(),
                    chunking.sequenceLength());
        }
        for (int id : ids) {
            if (id < 0 || id >= vocabulary) {
                throw new IllegalArgumentException("token " + id + " is not in a vocabulary of " + vocabulary);
            }
        }
        return ids;
    }
}
