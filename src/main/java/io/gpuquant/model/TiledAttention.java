package io.gpuquant.model;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.kernels.AttentionRule;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.kernels.SoftmaxKernels;
import io.gpuquant.tensor.DType;

/** Attention by batched matrix products, with the softmax between, for as many heads at a time as memory is given for scores. */
public final class TiledAttention implements HeadAttention {

    /** The most memory that the scores of one product take, if those of one head do not take more. */
    private static final long PRODUCT_BYTES = 64L << 20;

    private final Device device;
    private final AttentionHeads heads;
    private final DType operandType;
    private final int length;
    private final SoftmaxKernels softmax;
    private final ConvertKernels convert;
    private final int headsPerProduct;
    private final int headsAtOnce;
    private final DeviceMatrix sums;
    private final DeviceMatrix scores;
    private final DeviceMatrix weights;

    /**
     * Allocates memory for scores.
     *
     * @param operandType the type of the operands of matrix products
     * @param sums F32 [tokens, all heads], where results are added up if the operand type is another; not closed here
     */
    public TiledAttention(
            Device device, AttentionHeads heads, DType operandType, Chunking chunking, DeviceMatrix sums) {
        this.device = device;
        this.heads = heads;
        this.operandType = operandType;
        this.sums = sums;
        length = chunking.sequenceLength();
        softmax = new SoftmaxKernels(device.stream());
        convert = new ConvertKernels(device.stream());
        headsPerProduct = headsPerProduct();
        headsAtOnce = headsAtOnce(chunking);
        int rows = Math.multiplyExact(headsAtOnce, length);
        scores = DeviceMatrix.allocate(device, "attention scores", DType.F32, rows, length);
        // Softmax works in place where its result has the type of the scores.
        weights = operandType == DType.F32
                ? scores
                : DeviceMatrix.allocate(device, "attention weights", operandType, rows, length);
    }

    private long scoreBytes() {
        return DType.F32.bytes((long) length * length);
    }

    /** Heads that share a key head, all of them or an even part: it must depend on nothing but the model and the length. */
    private int headsPerProduct() {
        int together = heads.perKey();
        while (together > 1 && (heads.perKey() % together != 0 || together * scoreBytes() > PRODUCT_BYTES)) {
            together--;
        }
        return together;
    }

    private int headsAtOnce(Chunking chunking) {
        long products = Math.max(1, chunking.scoreBytes() / scoreBytes() / headsPerProduct);
        return (int) Math.min(products * headsPerProduct, (long) chunking.perChunk() * heads.count());
    }

    @Override
    public void attend(
            DeviceMatrix queries, DeviceMatrix keys, DeviceMatrix values, AttentionRule rule, DeviceMatrix out) {
        int tokens = queries.rows();
        DeviceMatrix results = operandType == DType.F32 ? out : sums.rows(0, tokens);
        int all = tokens / length * heads.count();
        for (int first = 0; first < all; first += headsAtOnce) {
            int count = Math.min(headsAtOnce, all - first);
            score(queries, keys, first, count);
            weigh(count, rule);
            sum(values, first, count, results);
        }
        if (operandType != DType.F32) {
            convert.convert(results, out);
        }
    }

    /** Scores of {@code count} heads from the {@code first}, counted through all sequences. */
    private void score(DeviceMatrix queries, DeviceMatrix keys, int first, int count) {
        for (int done = 0; done < count; done += headsPerProduct) {
            int head = first + done;
            device.blas()
                    .gemm(
                            device.stream(),
                            Gemm.ofTransposedB(
                                            window(queries, head),
                                            keyWindow(keys, head),
                                            scores.rows(done * length, length))
                                    .batched(headsPerProduct, heads.size(), 0, (long) length * length));
        }
    }

    private void weigh(int count, AttentionRule rule) {
        DeviceMatrix in = scores.rows(0, count * length);
        DeviceMatrix out = weights.rows(0, count * length);
        if (rule.cap() > 0 || rule.window() > 0) {
            softmax.windowed(in, rule.scale(), rule.window() > 0 ? rule.window() : length, rule.cap(), out);
        } else {
            softmax.causal(in, rule.scale(), out);
        }
    }

    private void sum(DeviceMatrix values, int first, int count, DeviceMatrix results) {
        for (int done = 0; done < count; done += headsPerProduct) {
            int head = first + done;
            device.blas()
                    .gemm(
                            device.stream(),
                            Gemm.of(weights.rows(done * length, length), keyWindow(values, head), window(results, head))
                                    .batched(headsPerProduct, (long) length * length, 0, heads.size()));
        }
    }

    private DeviceMatrix window(DeviceMatrix matrix, int head) {
        int within = head % heads.count();
        return matrix.rows(head / heads.count() * length, length).columns(within * heads.size(), heads.size());
    }

    private DeviceMatrix keyWindow(DeviceMatrix matrix, int head) {
        int within = head % heads.count() / heads.perKey();
        return matrix.rows(head / heads.count() * length, length).columns(within * heads.size(), heads.size());
    }

    @Override
    public void close() {
        scores.buffer().close();
        if (weights != scores) {
            weights.buffer().close();
        }
    }
}
