package io.gpuquant.model;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.NormKernels;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What a forward pass made of some sequences of equal length, token by token.
 *
 * @param hidden F32 [tokens, hidden size]: the embedding's output, and the residual stream after each layer
 * @param normalized F32 [tokens, hidden size], the last of them after the final norm
 * @param logits F32 [tokens, vocabulary]
 */
record ForwardRun(List<float[]> hidden, float[] normalized, float[] logits) {

    /** How a pass is made. */
    record Options(
            DType operandType,
            int perChunk,
            long scoreBytes,
            ActivationStore.Placement placement,
            @Nullable Function<RopeParameters, RotaryEmbedding> ropes) {

        /** Everything at once, with operands of float32. */
        static final Options DEFAULT =
                new Options(DType.F32, Integer.MAX_VALUE, 64 << 20, ActivationStore.Placement.DEVICE, null);

        Options perChunk(int sequences) {
            return new Options(operandType, sequences, scoreBytes, placement, ropes);
        }

        Options scoreBytes(long bytes) {
            return new Options(operandType, perChunk, bytes, placement, ropes);
        }

        Options onHost() {
            return new Options(operandType, perChunk, scoreBytes, ActivationStore.Placement.HOST, ropes);
        }

        Options operands(DType type) {
            return new Options(type, perChunk, scoreBytes, placement, ropes);
        }

        Options ropes(Function<RopeParameters, RotaryEmbedding> others) {
            return new Options(operandType, perChunk, scoreBytes, placement, others);
        }
    }

    static ForwardRun of(Device device, ModelStructure structure, WeightSource source, int[]... sequences) {
        return of(device, structure, source, Options.DEFAULT, sequences);
    }

    static ForwardRun of(
            Device device, ModelStructure structure, WeightSource source, Options options, int[]... sequences) {
        return run(device, structure, source, options, LayerPass::run, sequences);
    }

    /** Runs a layer over the residual stream. */
    interface LayerRun {
        void run(LayerPass pass, LayerWeights weights, ActivationStore hidden);
    }

    static ForwardRun run(
            Device device,
            ModelStructure structure,
            WeightSource source,
            Options options,
            LayerRun layerRun,
            int[]... sequences) {
        int width = structure.config().hiddenSize();
        DType type = options.operandType();
        Chunking chunking = new Chunking(
                sequences.length,
                sequences[0].length,
                1,
                Math.min(options.perChunk(), sequences.length),
                options.scoreBytes());
        LayerPass.Placements placements = new LayerPass.Placements(options.placement(), options.placement());
        try (ActivationStore hidden =
                        new ActivationStore(device, "residual", chunking, DType.F32, width, options.placement());
                LayerPass pass = pass(device, structure.config(), options, chunking, placements)) {
            List<float[]> states = new ArrayList<>();
            Embedding.fill(device, structure, source, index -> sequences[index], hidden);
            states.add(download(device, hidden, width));
            for (DecoderLayer layer : structure.layers()) {
                try (LayerWeights weights = new LayerWeights(device, layer, source, type, width)) {
                    layerRun.run(pass, weights, hidden);
                }
                states.add(download(device, hidden, width));
            }
            float[] last = states.getLast();
            return new ForwardRun(
                    states, normalize(device, structure, source, last), logits(device, structure, source, type, last));
        }
    }

    private static LayerPass pass(
            Device device, ModelConfig config, Options options, Chunking chunking, LayerPass.Placements placements) {
        Function<RopeParameters, RotaryEmbedding> ropes = options.ropes();
        return ropes == null
                ? new LayerPass(device, config, options.operandType(), chunking, placements)
                : new LayerPass(device, config, ropes, options.operandType(), chunking, placements);
    }

    private static float[] download(Device device, ActivationStore store, int width) {
        float[] all = new float[Math.toIntExact(store.chunking().totalTokens() * width)];
        int done = 0;
        for (int chunk = 0; chunk < store.chunking().count(); chunk++) {
            float[] part = download(device, store.open(chunk));
            System.arraycopy(part, 0, all, done, part.length);
            done += part.length;
        }
        return all;
    }

    private static float[] download(Device device, DeviceMatrix matrix) {
        float[] values = new float[Math.toIntExact(matrix.elementCount())];
        device.stream().copyToHost(matrix, MemorySegment.ofArray(values));
        return values;
    }

    private static float[] normalize(Device device, ModelStructure structure, WeightSource source, float[] hidden) {
        ModelConfig config = structure.config();
        int width = config.hiddenSize();
        DeviceMatrix x = upload(device, hidden, width);
        try (DeviceBuffer xBuffer = x.buffer()) {
            NormWeights norm = NormWeights.load(device, structure.finalNorm(), source, width);
            new NormKernels(device.stream()).rmsNorm(x, norm.factor(), (float) config.rmsNormEps(), x);
            float[] normalized = download(device, x);
            norm.close();
            return normalized;
        }
    }

    private static float[] logits(
            Device device, ModelStructure structure, WeightSource source, DType type, float[] hidden) {
        DeviceMatrix x = upload(device, hidden, structure.config().hiddenSize());
        try (DeviceBuffer buffer = x.buffer();
                OutputHead head = new OutputHead(device, structure, source, type)) {
            int vocabulary = structure.config().vocabSize();
            float[] all = new float[x.rows() * vocabulary];
            for (int row = 0; row < x.rows(); row += head.mostRows()) {
                float[] part = download(device, head.logits(x.rows(row, Math.min(head.mostRows(), x.rows() - row))));
                System.arraycopy(part, 0, all, row * vocabulary, part.length);
            }
            return all;
        }
    }

    private static DeviceMatrix upload(Device device, float[] values, int width) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, "activations", DType.F32, values.length / width, width);
        device.stream().copyToDevice(MemorySegment.ofArray(values), matrix);
        return matrix;
    }

    /** Everything in one array, to compare bits. */
    int[] bits() {
        List<float[]> all = new ArrayList<>(hidden);
        all.add(normalized);
        all.add(logits);
        return all.stream()
                .flatMapToInt(values -> Arrays.stream(floatBits(values)))
                .toArray();
    }

    private static int[] floatBits(float[] values) {
        int[] bits = new int[values.length];
        for (int i = 0; i < values.length; i++) {
            bits[i] = Float.floatToRawIntBits(values[i]);
        }
        return bits;
    }
}
