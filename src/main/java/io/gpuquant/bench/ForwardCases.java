package io.gpuquant.bench;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ActivationKernels;
import io.gpuquant.kernels.AttentionKernels;
import io.gpuquant.kernels.AttentionRule;
import io.gpuquant.kernels.CheckKernels;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.kernels.DivergenceKernels;
import io.gpuquant.kernels.EmbeddingKernels;
import io.gpuquant.kernels.LossKernels;
import io.gpuquant.kernels.NormKernels;
import io.gpuquant.kernels.RopeKernels;
import io.gpuquant.kernels.SoftmaxKernels;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Kernels of the forward pass and of evaluation. */
final class ForwardCases {

    /** Rows of logits at a time. */
    private static final int LOGIT_ROWS = 64;

    private ForwardCases() {}

    static List<KernelCase> of(Device device, LayerShape shape) {
        DType operand = device.operandType(DType.BF16);
        List<KernelCase> cases = new ArrayList<>();
        cases.addAll(activations(shape, operand));
        cases.addAll(variants(shape, operand));
        cases.addAll(conversions(shape));
        cases.addAll(logits(shape));
        for (DType type : List.of(DType.F16, DType.BF16)) {
            for (int headDim : new int[] {64, 96, 128, 256}) {
                cases.add(attention(shape, type, headDim));
            }
        }
        return cases;
    }

    private static List<KernelCase> activations(LayerShape shape, DType operand) {
        int tokens = shape.tokens();
        int hidden = shape.hidden();
        int wide = shape.intermediate();
        double bytes = operand.bytes();
        int length = shape.sequenceLength();
        return List.of(
                KernelCase.of("embedding_gather", tokens, hidden, Work.ofBytes((2 + 4.0) * tokens * hidden), memory -> {
                    DeviceMatrix table = memory.random(DType.BF16, shape.vocabulary(), hidden);
                    DeviceMatrix ids = memory.below(DType.I32, 1, tokens, shape.vocabulary());
                    DeviceMatrix out = memory.empty(DType.F32, tokens, hidden);
                    return () -> new EmbeddingKernels(memory.device().stream()).gather(table, ids, 1, out);
                }),
                KernelCase.of("rms_norm", tokens, hidden, Work.ofBytes((4 + bytes) * tokens * hidden), memory -> {
                    DeviceMatrix in = memory.random(DType.F32, tokens, hidden);
                    DeviceMatrix weight = memory.random(DType.BF16, 1, hidden);
                    DeviceMatrix out = memory.empty(operand, tokens, hidden);
                    return () -> new NormKernels(memory.device().stream()).rmsNorm(in, weight, 1e-5f, out);
                }),
                KernelCase.of("rope", tokens, hidden, Work.ofBytes((4 + bytes) * tokens * hidden), memory -> {
                    DeviceMatrix in = memory.random(DType.F32, tokens, hidden);
                    DeviceMatrix cos = memory.random(DType.F32, length, shape.headDim() / 2);
                    DeviceMatrix sin = memory.random(DType.F32, length, shape.headDim() / 2);
                    DeviceMatrix out = memory.empty(operand, tokens, hidden);
                    return () -> new RopeKernels(memory.device().stream()).rotate(in, 2 * cos.columns(), cos, sin, out);
                }),
                KernelCase.of(
                        "softmax_causal",
                        shape.heads() * length,
                        length,
                        Work.ofBytes((2 + bytes) * shape.heads() * length * length),
                        memory -> {
                            DeviceMatrix scores = memory.random(DType.F32, shape.heads() * length, length);
                            DeviceMatrix weights = memory.empty(operand, shape.heads() * length, length);
                            return () -> new SoftmaxKernels(memory.device().stream()).causal(scores, 0.125f, weights);
                        }),
                KernelCase.of("swiglu", tokens, wide, Work.ofBytes((8 + bytes) * tokens * wide), memory -> {
                    DeviceMatrix gate = memory.random(DType.F32, tokens, wide);
                    DeviceMatrix up = memory.random(DType.F32, tokens, wide);
                    DeviceMatrix out = memory.empty(operand, tokens, wide);
                    return () -> new ActivationKernels(memory.device().stream()).swiglu(gate, up, out);
                }),
                KernelCase.of("add_bias", tokens, hidden, Work.ofBytes(8.0 * tokens * hidden), memory -> {
                    DeviceMatrix matrix = memory.random(DType.F32, tokens, hidden);
                    DeviceMatrix bias = memory.random(DType.BF16, 1, hidden);
                    return () -> new ActivationKernels(memory.device().stream()).addBias(matrix, bias);
                }),
                KernelCase.of("residual_add", tokens, hidden, Work.ofBytes(12.0 * tokens * hidden), memory -> {
                    DeviceMatrix sum = memory.random(DType.F32, tokens, hidden);
                    DeviceMatrix delta = memory.random(DType.F32, tokens, hidden);
                    return () -> new ActivationKernels(memory.device().stream()).residualAdd(sum, delta);
                }));
    }

    /** What some families of models have in the place of softmax_causal and swiglu, and above their logits. */
    private static List<KernelCase> variants(LayerShape shape, DType operand) {
        int tokens = shape.tokens();
        int wide = shape.intermediate();
        int length = shape.sequenceLength();
        int rows = shape.heads() * length;
        int window = Math.max(1, length / 2);
        double bytes = operand.bytes();
        double seen = window * (length - (window - 1) / 2.0) * shape.heads();
        return List.of(
                KernelCase.of(
                        "softmax_windowed", rows, length, Work.ofBytes(4 * seen + bytes * rows * length), memory -> {
                            DeviceMatrix scores = memory.random(DType.F32, rows, length);
                            DeviceMatrix weights = memory.empty(operand, rows, length);
                            return () -> new SoftmaxKernels(memory.device().stream())
                                    .windowed(scores, 0.125f, window, 50, weights);
                        }),
                KernelCase.of("geglu_tanh", tokens, wide, Work.ofBytes((8 + bytes) * tokens * wide), memory -> {
                    DeviceMatrix gate = memory.random(DType.F32, tokens, wide);
                    DeviceMatrix up = memory.random(DType.F32, tokens, wide);
                    DeviceMatrix out = memory.empty(operand, tokens, wide);
                    return () -> new ActivationKernels(memory.device().stream()).gegluTanh(gate, up, out);
                }),
                KernelCase.of(
                        "soft_cap",
                        LOGIT_ROWS,
                        shape.vocabulary(),
                        Work.ofBytes(8.0 * LOGIT_ROWS * shape.vocabulary()),
                        memory -> {
                            DeviceMatrix logits = memory.random(DType.F32, LOGIT_ROWS, shape.vocabulary());
                            return () -> new ActivationKernels(memory.device().stream()).softCap(logits, 30);
                        }));
    }

    private static List<KernelCase> conversions(LayerShape shape) {
        int rows = shape.intermediate();
        int columns = shape.hidden();
        double elements = (double) rows * columns;
        return List.of(
                KernelCase.of("convert", rows, columns, Work.ofBytes(6 * elements), memory -> {
                    DeviceMatrix from = memory.random(DType.BF16, rows, columns);
                    DeviceMatrix to = memory.empty(DType.F32, rows, columns);
                    return () -> new ConvertKernels(memory.device().stream()).convert(from, to);
                }),
                KernelCase.of("copy_window", rows, 128, Work.ofBytes(8.0 * rows * 128), memory -> {
                    DeviceMatrix from = memory.random(DType.F32, rows, columns);
                    DeviceMatrix to = memory.empty(DType.F32, rows, 128);
                    return () ->
                            new ConvertKernels(memory.device().stream()).copy(from.columns(columns - 128, 128), to);
                }),
                KernelCase.of("gather_columns", rows, columns, Work.ofBytes(8 * elements), memory -> {
                    DeviceMatrix from = memory.random(DType.F32, rows, columns);
                    DeviceMatrix order = memory.below(DType.I32, 1, columns, columns);
                    DeviceMatrix to = memory.empty(DType.F32, rows, columns);
                    return () -> new ConvertKernels(memory.device().stream()).gatherColumns(from, order, to);
                }),
                KernelCase.of("find_nonfinite", rows, columns, Work.ofBytes(2 * elements), memory -> {
                    DeviceMatrix matrix = memory.random(DType.BF16, rows, columns);
                    CheckKernels kernels = new CheckKernels(memory.device());
                    return () -> kernels.firstNonFinite(matrix);
                }));
    }

    private static List<KernelCase> logits(LayerShape shape) {
        int vocabulary = shape.vocabulary();
        double elements = (double) LOGIT_ROWS * vocabulary;
        return List.of(
                KernelCase.of("cross_entropy", LOGIT_ROWS, vocabulary, Work.ofBytes(4 * elements), memory -> {
                    DeviceMatrix logits = memory.random(DType.F32, LOGIT_ROWS, vocabulary);
                    DeviceMatrix targets = memory.below(DType.I32, 1, LOGIT_ROWS, vocabulary);
                    DeviceMatrix out = memory.empty(DType.F32, 1, LOGIT_ROWS);
                    return () -> new LossKernels(memory.device().stream()).logProbabilities(logits, targets, out);
                }),
                KernelCase.of("divergence_sums", LOGIT_ROWS, vocabulary, Work.ofBytes(8 * elements), memory -> {
                    DeviceMatrix logits = memory.random(DType.F32, LOGIT_ROWS, vocabulary);
                    DeviceMatrix others = memory.random(DType.F32, LOGIT_ROWS, vocabulary);
                    DeviceMatrix sums = memory.empty(DType.F64, LOGIT_ROWS, 4);
                    return () -> new DivergenceKernels(memory.device().stream()).sums(logits, others, sums);
                }));
    }

    /** One sequence, with as many heads as fit the layer's width. */
    private static KernelCase attention(LayerShape shape, DType type, int headDim) {
        int length = shape.sequenceLength();
        int heads = Math.max(1, shape.hidden() / headDim / 4);
        double pairs = (double) length * (length + 1) / 2;
        return new KernelCase(
                "attention_" + type.name().toLowerCase(Locale.ROOT) + "_" + headDim,
                length + " tokens, " + heads + " heads",
                Work.ofHalves(4 * pairs * heads * headDim)
                        .plus(Work.ofBytes(type.bytes() * 4.0 * length * heads * headDim)),
                memory -> {
                    DeviceMatrix queries = memory.random(type, length, heads * headDim);
                    DeviceMatrix keys = memory.random(type, length, heads * headDim);
                    DeviceMatrix values = memory.random(type, length, heads * headDim);
                    DeviceMatrix out = memory.empty(type, length, heads * headDim);
                    AttentionKernels kernels = new AttentionKernels(memory.device().stream());
                    return () ->
                            kernels.attend(queries, keys, values, length, headDim, AttentionRule.causal(0.125f), out);
                });
    }
}
