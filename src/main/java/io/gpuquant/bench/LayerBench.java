package io.gpuquant.bench;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.kernels.ActivationKernels;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.kernels.EmbeddingKernels;
import io.gpuquant.kernels.NormKernels;
import io.gpuquant.quantize.CodeLayout;
import io.gpuquant.quantize.GptqMethod;
import io.gpuquant.quantize.GptqOptions;
import io.gpuquant.quantize.QuantizedStage;
import io.gpuquant.quantize.StageTask;
import io.gpuquant.tensor.DType;
import java.util.List;

/**
 * One decoder layer as a run quantizes it: tokens are embedded, every stage's input is made and its Gram matrix accumulated, its
 * linears are quantized by GPTQ with 4 bits and groups of 128 and packed, and the layer goes on with the product. What it is
 * multiplied by are the weights before quantization: the time is the same.
 */
final class LayerBench {

    private static final float EPSILON = 1e-5f;
    private static final GptqOptions OPTIONS = new GptqOptions(
            QuantizationCases.GRID, QuantizationCases.GROUP, GptqOptions.Ordering.GROUP_AWARE, false, 0.05);

    private final Device device;
    private final LayerShape shape;
    private final DType operand;

    LayerBench(Device device, LayerShape shape) {
        this.device = device;
        this.shape = shape;
        operand = device.operandType(DType.BF16);
    }

    /** Measures all steps, after a round that loads code. */
    List<Measurement> run() {
        round(new StepTimes(device));
        StepTimes times = new StepTimes(device);
        round(times);
        return times.measurements();
    }

    private void round(StepTimes times) {
        int tokens = shape.tokens();
        int hidden = shape.hidden();
        try (BenchMemory memory = new BenchMemory(device)) {
            DeviceMatrix residual = memory.empty(DType.F32, tokens, hidden);
            embed(times, residual);
            DeviceMatrix normalized = norm(times, memory, residual);
            int width = hidden + 2 * shape.keyWidth();
            DeviceMatrix projected = memory.empty(DType.F32, tokens, width);
            stage(times, normalized, width, projected);
            DeviceMatrix attended = new AttentionBench(device, shape, memory).run(times, projected);
            DeviceMatrix delta = memory.empty(DType.F32, tokens, hidden);
            stage(times, attended, hidden, delta);
            add(times, residual, delta);
        }
        try (BenchMemory memory = new BenchMemory(device)) {
            DeviceMatrix residual = memory.random(DType.F32, tokens, hidden);
            DeviceMatrix normalized = norm(times, memory, residual);
            DeviceMatrix gateUp = memory.empty(DType.F32, tokens, 2 * shape.intermediate());
            stage(times, normalized, 2 * shape.intermediate(), gateUp);
            DeviceMatrix activated = activate(times, memory, gateUp);
            DeviceMatrix delta = memory.empty(DType.F32, tokens, hidden);
            stage(times, activated, hidden, delta);
            add(times, residual, delta);
        }
    }

    private void embed(StepTimes times, DeviceMatrix residual) {
        try (BenchMemory memory = new BenchMemory(device)) {
            DeviceMatrix table = memory.random(DType.BF16, shape.vocabulary(), shape.hidden());
            DeviceMatrix ids = memory.below(DType.I32, 1, residual.rows(), shape.vocabulary());
            times.time(
                    "embed",
                    Work.ofBytes(6.0 * residual.elementCount()),
                    () -> new EmbeddingKernels(device.stream()).gather(table, ids, 1, residual));
        }
    }

    private DeviceMatrix norm(StepTimes times, BenchMemory memory, DeviceMatrix residual) {
        DeviceMatrix weight = memory.random(DType.BF16, 1, shape.hidden());
        DeviceMatrix out = memory.empty(operand, residual.rows(), residual.columns());
        times.time(
                "norm",
                Work.ofBytes((4.0 + operand.bytes()) * residual.elementCount()),
                () -> new NormKernels(device.stream()).rmsNorm(residual, weight, EPSILON, out));
        return out;
    }

    private DeviceMatrix activate(StepTimes times, BenchMemory memory, DeviceMatrix gateUp) {
        int wide = shape.intermediate();
        DeviceMatrix out = memory.empty(operand, gateUp.rows(), wide);
        times.time(
                "activation",
                Work.ofBytes((8.0 + operand.bytes()) * out.elementCount()),
                () -> new ActivationKernels(device.stream())
                        .swiglu(gateUp.columns(0, wide), gateUp.columns(wide, wide), out));
        return out;
    }

    private void add(StepTimes times, DeviceMatrix residual, DeviceMatrix delta) {
        times.time(
                "residual",
                Work.ofBytes(12.0 * residual.elementCount()),
                () -> new ActivationKernels(device.stream()).residualAdd(residual, delta));
    }

    /** Gram matrix, GPTQ, packing and product of linears that share an input. */
    private void stage(StepTimes times, DeviceMatrix x, int outputs, DeviceMatrix y) {
        int in = x.columns();
        double weights = (double) outputs * in;
        try (BenchMemory memory = new BenchMemory(device)) {
            DeviceMatrix gram = memory.empty(DType.F32, in, in);
            times.time(
                    "gram",
                    operandWork((double) x.rows() * in * (in + 1)),
                    () -> device.blas().addGram(device.stream(), x, gram));
            DeviceMatrix w = memory.random(operand, outputs, in);
            DeviceMatrix working = memory.empty(DType.F32, outputs, in);
            new ConvertKernels(device.stream()).convert(w, working);
            StageTask task = new StageTask(List.of("linears"), List.of(outputs), working, gram);
            GptqMethod method = new GptqMethod(
                    device, OPTIONS, CodeLayout.WORDS, phase -> times.begin(name(phase), work(phase, weights, in)));
            try (QuantizedStage quantized = method.quantize(task)) {
                times.end();
                new PackBench(device, memory).run(times, quantized);
            }
            times.time(
                    "product",
                    operandWork(2.0 * x.rows() * weights),
                    () -> device.blas().gemm(device.stream(), Gemm.ofTransposedB(x, w, y)));
        }
    }

    private Work operandWork(double operations) {
        return operand == DType.F32 ? Work.ofFloats(operations) : Work.ofHalves(operations);
    }

    private static String name(GptqMethod.Phase phase) {
        return switch (phase) {
            case PREPARATION -> "gptq: order and damping";
            case FACTORIZATION -> "gptq: factorization";
            case ROUNDING -> "gptq: column loop";
            case OUTPUTS -> "gptq: size of outputs";
            case ERRORS -> "gptq: output errors";
        };
    }

    /** A factorization takes n^3 / 3 operations, the loop's products with the factor n^2 for each row. */
    private static Work work(GptqMethod.Phase phase, double weights, int in) {
        double n = in;
        return switch (phase) {
            case PREPARATION -> Work.ofBytes(8 * n * n);
            case FACTORIZATION -> Work.ofFloats(n * n * n / 3);
            case ROUNDING -> Work.ofFloats(weights * n);
            case OUTPUTS -> Work.ofFloats(2 * weights * n);
            case ERRORS -> Work.ofBytes(4 * weights);
        };
    }
}
