package io.gpuquant.bench;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.kernels.RopeKernels;
import io.gpuquant.kernels.SoftmaxKernels;
import io.gpuquant.tensor.DType;

/** Attention of all sequences by batched products, for the queries of one key head of one sequence at a time. */
final class AttentionBench {

    private final Device device;
    private final LayerShape shape;
    private final BenchMemory memory;
    private final DType operand;

    AttentionBench(Device device, LayerShape shape, BenchMemory memory) {
        this.device = device;
        this.shape = shape;
        this.memory = memory;
        operand = device.operandType(DType.BF16);
    }

    /** The input of the output projection, made of queries, keys and values side by side. */
    DeviceMatrix run(StepTimes times, DeviceMatrix projected) {
        int tokens = shape.tokens();
        int hidden = shape.hidden();
        int keyWidth = shape.keyWidth();
        int pairs = shape.headDim() / 2;
        DeviceMatrix cos = memory.random(DType.F32, shape.sequenceLength(), pairs);
        DeviceMatrix sin = memory.random(DType.F32, shape.sequenceLength(), pairs);
        DeviceMatrix queries = memory.empty(operand, tokens, hidden);
        DeviceMatrix keys = memory.empty(operand, tokens, keyWidth);
        DeviceMatrix values = memory.empty(operand, tokens, keyWidth);
        RopeKernels rope = new RopeKernels(device.stream());
        ConvertKernels convert = new ConvertKernels(device.stream());
        times.time("rope", Work.ofBytes((4.0 + operand.bytes()) * projected.elementCount()), () -> {
            rope.rotate(projected.columns(0, hidden), 2 * cos.columns(), cos, sin, queries);
            rope.rotate(projected.columns(hidden, keyWidth), 2 * cos.columns(), cos, sin, keys);
            convert.convert(projected.columns(hidden + keyWidth, keyWidth), values);
        });
        DeviceMatrix out = memory.empty(operand, tokens, hidden);
        times.time("attention", work(), () -> attend(queries, keys, values, out));
        return out;
    }

    private Work work() {
        double pairs = (double) shape.tokens() * (shape.sequenceLength() + 1) / 2;
        double operations = 4 * pairs * shape.hidden();
        return operand == DType.F32 ? Work.ofFloats(operations) : Work.ofHalves(operations);
    }

    private void attend(DeviceMatrix queries, DeviceMatrix keys, DeviceMatrix values, DeviceMatrix out) {
        int length = shape.sequenceLength();
        int size = shape.headDim();
        int group = shape.heads() / shape.keyHeads();
        DeviceMatrix scores = memory.empty(DType.F32, group * length, length);
        DeviceMatrix weights = operand == DType.F32 ? scores : memory.empty(operand, group * length, length);
        DeviceMatrix sums = memory.empty(DType.F32, shape.tokens(), shape.hidden());
        SoftmaxKernels softmax = new SoftmaxKernels(device.stream());
        for (int sequence = 0; sequence < shape.sequences(); sequence++) {
            for (int head = 0; head < shape.keyHeads(); head++) {
                DeviceMatrix query = window(queries, sequence, head * group);
                DeviceMatrix key = window(keys, sequence, head);
                device.blas()
                        .gemm(
                                device.stream(),
                                Gemm.ofTransposedB(query, key, scores.rows(0, length))
                                        .batched(group, size, 0, (long) length * length));
                softmax.causal(scores, (float) (1 / Math.sqrt(size)), weights);
                device.blas()
                        .gemm(
                                device.stream(),
                                Gemm.of(
                                                weights.rows(0, length),
                                                window(values, sequence, head),
                                                window(sums, sequence, head * group))
                                        .batched(group, (long) length * length, 0, size));
            }
        }
        new ConvertKernels(device.stream()).convert(sums, out);
    }

    private DeviceMatrix window(DeviceMatrix matrix, int sequence, int head) {
        return matrix.rows(sequence * shape.sequenceLength(), shape.sequenceLength())
                .columns(head * shape.headDim(), shape.headDim());
    }
}
