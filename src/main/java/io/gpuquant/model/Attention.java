package io.gpuquant.model;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.kernels.RopeKernels;
import io.gpuquant.kernels.SoftmaxKernels;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Causal self-attention with grouped queries (Ainslie et al., arXiv 2305.13245) over whole sequences: scores and weighted
 * values as batched matrix products, with the softmax between.
 */
final class Attention implements AutoCloseable {

    /** The most memory that the scores of one product take, if those of one head do not take more. */
    private static final long PRODUCT_BYTES = 64L << 20;

    private final Device device;
    private final ModelConfig config;
    private final DType operandType;
    private final int length;
    private final RopeKernels rope;
    private final SoftmaxKernels softmax;
    private final ConvertKernels convert;
    private final List<DeviceMatrix> owned = new ArrayList<>();
    private final DeviceMatrix cos;
    private final DeviceMatrix sin;
    private final DeviceMatrix queries;
    private final DeviceMatrix keys;
    private final DeviceMatrix values;
    private final DeviceMatrix scores;
    private final DeviceMatrix weights;
    private final DeviceMatrix result;
    private final int headsPerProduct;
    private final int headsAtOnce;

    Attention(Device device, ModelConfig config, RotaryEmbedding embedding, DType operandType, Chunking chunking) {
        this.device = device;
        this.config = config;
        this.operandType = operandType;
        length = chunking.sequenceLength();
        rope = new RopeKernels(device.stream());
        softmax = new SoftmaxKernels(device.stream());
        convert = new ConvertKernels(device.stream());
        int tokens = chunking.mostTokens();
        RotaryEmbedding.Tables tables = embedding.tables(length);
        cos = upload("rotary cosines", tables.cos(), tables.pairs());
        sin = upload("rotary sines", tables.sin(), tables.pairs());
        queries = allocate("queries", operandType, tokens, config.queryWidth());
        keys = allocate("keys", operandType, tokens, config.keyValueWidth());
        values = allocate("values", operandType, tokens, config.keyValueWidth());
        headsPerProduct = headsPerProduct();
        headsAtOnce = headsAtOnce(chunking);
        scores = allocate("attention scores", DType.F32, Math.multiplyExact(headsAtOnce, length), length);
        // Softmax works in place where its result has the type of the scores.
        weights = operandType == DType.F32 ? scores : allocate("attention weights", operandType, scores.rows(), length);
        result = allocate("attention results", DType.F32, tokens, config.queryWidth());
    }

    private long scoreBytes() {
        return DType.F32.bytes((long) length * length);
    }

    /** Heads that share a key head, all of them or an even part: it must depend on nothing but the model and the length. */
    private int headsPerProduct() {
        int heads = config.queriesPerKeyValueHead();
        while (heads > 1 && (config.queriesPerKeyValueHead() % heads != 0 || heads * scoreBytes() > PRODUCT_BYTES)) {
            heads--;
        }
        return heads;
    }

    private int headsAtOnce(Chunking chunking) {
        long products = Math.max(1, chunking.scoreBytes() / scoreBytes() / headsPerProduct);
        return (int) Math.min(products * headsPerProduct, (long) chunking.perChunk() * config.numAttentionHeads());
    }

    private DeviceMatrix allocate(String name, DType dtype, int rows, int columns) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, name, dtype, rows, columns);
        owned.add(matrix);
        return matrix;
    }

    private DeviceMatrix upload(String name, float[] table, int pairs) {
        DeviceMatrix matrix = allocate(name, DType.F32, length, pairs);
        device.stream().copyToDevice(MemorySegment.ofArray(table), matrix);
        return matrix;
    }

    /**
     * Computes the input of the output projection.
     *
     * @param projected F32 [tokens, queries + keys + values], the outputs of the three projections side by side
     * @param out operand type [tokens, query width], dense
     */
    void apply(DeviceMatrix projected, DeviceMatrix out) {
        int tokens = projected.rows();
        int queryWidth = config.queryWidth();
        int keyWidth = config.keyValueWidth();
        rope.rotate(projected.columns(0, queryWidth), cos, sin, queries.rows(0, tokens));
        rope.rotate(projected.columns(queryWidth, keyWidth), cos, sin, keys.rows(0, tokens));
        convert.convert(projected.columns(queryWidth + keyWidth, keyWidth), values.rows(0, tokens));
        DeviceMatrix sum = operandType == DType.F32 ? out : result.rows(0, tokens);
        int heads = tokens / length * config.numAttentionHeads();
        for (int head = 0; head < heads; head += headsAtOnce) {
            attend(head, Math.min(headsAtOnce, heads - head), sum);
        }
        if (operandType != DType.F32) {
            convert.convert(sum, out);
        }
    }

    /** Handles {@code count} heads from the {@code first}, counted through all sequences of the chunk. */
    private void attend(int first, int count, DeviceMatrix sum) {
        float scale = (float) (1 / Math.sqrt(config.headDim()));
        forEachProduct(
                first,
                count,
                (head, row) -> device.blas()
                        .gemm(
                                device.stream(),
                                Gemm.ofTransposedB(query(head), key(head), scores.rows(row, length))
                                        .batched(headsPerProduct, config.headDim(), 0, (long) length * length)));
        softmax.causal(scores.rows(0, count * length), scale, weights.rows(0, count * length));
        forEachProduct(
                first,
                count,
                (head, row) -> device.blas()
                        .gemm(
                                device.stream(),
                                Gemm.of(weights.rows(row, length), value(head), window(sum, head))
                                        .batched(headsPerProduct, (long) length * length, 0, config.headDim())));
    }

    /** Query heads that share a key head: the first, and their first row of scores. */
    private interface Product {
        void accept(int head, int row);
    }

    private void forEachProduct(int first, int count, Product action) {
        for (int done = 0; done < count; done += headsPerProduct) {
            action.accept(first + done, done * length);
        }
    }

    private DeviceMatrix query(int head) {
        return window(queries, head);
    }

    private DeviceMatrix key(int head) {
        return keyWindow(keys, head);
    }

    private DeviceMatrix value(int head) {
        return keyWindow(values, head);
    }

    private DeviceMatrix window(DeviceMatrix matrix, int head) {
        int sequence = head / config.numAttentionHeads();
        int within = head % config.numAttentionHeads();
        return matrix.rows(sequence * length, length).columns(within * config.headDim(), config.headDim());
    }

    private DeviceMatrix keyWindow(DeviceMatrix matrix, int head) {
        int sequence = head / config.numAttentionHeads();
        int within = head % config.numAttentionHeads() / config.queriesPerKeyValueHead();
        return matrix.rows(sequence * length, length).columns(within * config.headDim(), config.headDim());
    }

    @Override
    public void close() {
        owned.forEach(matrix -> matrix.buffer().close());
    }
}
