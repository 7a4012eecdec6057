package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import java.util.stream.Collectors;

/** Attention in one pass, whose memory does not grow with the square of the sequence length. */
public final class AttentionKernels {

    private static final double LOG2_E = 1 / Math.log(2);

    /** Queries of a block. */
    private static final int QUERIES = 64;

    private static final int THREADS = 128;

    /** Bytes that addresses and rows are aligned to. */
    private static final int ALIGNMENT = 16;

    /** Elements of a head for which there is a kernel, and how many keys it takes at a time. */
    private static final Map<Integer, Integer> KEYS = Map.of(64, 64, 96, 64, 128, 64, 256, 32);

    private final Stream stream;
    private final IntFunction<KernelModule> kernels;

    public AttentionKernels(Stream stream) {
        this(stream, headDim -> KernelFiles.module("attention_" + headDim + ".ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    AttentionKernels(Stream stream, IntFunction<KernelModule> kernels) {
        this.stream = stream;
        this.kernels = kernels;
    }

    /** Whether there is a kernel for heads of so many elements of a type. */
    public static boolean supports(int headDim, DType dtype) {
        return KEYS.containsKey(headDim) && (dtype == DType.F16 || dtype == DType.BF16);
    }

    /** The sizes of heads for which there are kernels, in words. */
    public static String supportedHeads() {
        List<Integer> sizes = KEYS.keySet().stream().sorted().toList();
        return sizes.stream().limit(sizes.size() - 1).map(Object::toString).collect(Collectors.joining(", ")) + " and "
                + sizes.getLast();
    }

    /**
     * For each sequence and head, every query's sum of values, weighed by the softmax of its scores.
     *
     * @param queries F16 or BF16 [sequences * length, heads * headDim]; may be a window
     * @param keys same type [sequences * length, keyHeads * headDim]; may be a window; as many queries' heads share a head of
     *     keys as there are of them for each
     * @param values same type and extents as {@code keys}; may be a window
     * @param length tokens of a sequence
     * @param headDim elements of a head, 64, 96, 128 or 256
     * @param out same type and extents as {@code queries}; may be a window
     * @throws IllegalArgumentException when an address or the distance between rows is no multiple of 16 bytes
     */
    public void attend(
            DeviceMatrix queries,
            DeviceMatrix keys,
            DeviceMatrix values,
            int length,
            int headDim,
            AttentionRule rule,
            DeviceMatrix out) {
        DType dtype = queries.dtype();
        int tokens = queries.rows();
        if (!supports(headDim, dtype)) {
            throw new IllegalArgumentException("no attention kernel for heads of " + headDim + " " + dtype);
        }
        TypeCode.require(keys, dtype, tokens, keys.columns());
        TypeCode.require(values, dtype, tokens, keys.columns());
        TypeCode.require(out, dtype, tokens, queries.columns());
        int heads = queries.columns() / headDim;
        int keyHeads = keys.columns() / headDim;
        if (heads * headDim != queries.columns()
                || keyHeads * headDim != keys.columns()
                || keyHeads == 0
                || heads % keyHeads != 0) {
            throw new IllegalArgumentException(queries + " and " + keys + " in heads of " + headDim);
        }
        if (length < 1 || tokens % length != 0) {
            throw new IllegalArgumentException(queries + " in sequences of " + length);
        }
        requireAligned(queries, keys, values, out);
        if (tokens == 0 || heads == 0) {
            return;
        }
        KernelEntry kernel =
                kernels.apply(headDim).entry("attention_" + (dtype == DType.F16 ? "f16_" : "bf16_") + headDim);
        stream.launch(
                kernel,
                new LaunchShape(Grids.ceilDiv(length, QUERIES), heads, tokens / length, THREADS, sharedBytes(headDim)),
                arguments(out, queries, keys, values)
                        .int32(length)
                        .int32(heads / keyHeads)
                        .int32(rule.causal() ? 1 : 0)
                        .int32(rule.window())
                        .float32((float) (rule.cap() > 0 ? LOG2_E : rule.scale() * LOG2_E))
                        .float32(rule.cap())
                        .float32(rule.cap() > 0 ? (float) (2 * rule.scale() / rule.cap() * LOG2_E) : 0));
    }

    private static KernelArguments arguments(DeviceMatrix... matrices) {
        KernelArguments arguments = new KernelArguments();
        for (DeviceMatrix matrix : matrices) {
            arguments.matrix(matrix).int32(matrix.stride());
        }
        return arguments;
    }

    /** Rows of queries, of keys and of values, each 16 bytes apart from the next. */
    private static int sharedBytes(int headDim) {
        return (QUERIES + 2 * KEYS.getOrDefault(headDim, 0)) * (2 * headDim + ALIGNMENT);
    }

    private static void requireAligned(DeviceMatrix... matrices) {
        for (DeviceMatrix matrix : matrices) {
            if (matrix.elementCount() > 0
                    && (matrix.address() % ALIGNMENT != 0 || matrix.dtype().bytes(matrix.stride()) % ALIGNMENT != 0)) {
                throw new IllegalArgumentException(matrix + " is not aligned to " + ALIGNMENT + " bytes");
            }
        }
    }
}
