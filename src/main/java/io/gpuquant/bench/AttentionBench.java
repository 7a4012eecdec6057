package io.gpuquant.bench;

import io.gpuquant.device.AttentionMethod;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.AttentionKernels;
import io.gpuquant.kernels.AttentionRule;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.kernels.RopeKernels;
import io.gpuquant.model.AttentionHeads;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.FusedAttention;
import io.gpuquant.model.HeadAttention;
import io.gpuquant.model.TiledAttention;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The attention of a layer over all sequences, by the code that runs models. */
final class AttentionBench {

    private final Device device;
    private final LayerShape shape;
    private final BenchMemory memory;
    private final AttentionHeads heads;
    private final DType operand;

    AttentionBench(Device device, LayerShape shape, BenchMemory memory) {
        this.device = device;
        this.shape = shape;
        this.memory = memory;
        heads = new AttentionHeads(shape.heads(), shape.keyHeads(), shape.headDim());
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
        try (HeadAttention attention = attention(AttentionMethod.TILED)) {
            times.time("attention", work(), () -> attention.attend(queries, keys, values, rule(), out));
        }
        return out;
    }

    /** How long each way takes that there is for such heads here; all on the same shapes. */
    List<Measurement> compare(Clock clock) {
        DeviceMatrix queries = memory.random(operand, shape.tokens(), shape.hidden());
        DeviceMatrix keys = memory.random(operand, shape.tokens(), shape.keyWidth());
        DeviceMatrix values = memory.random(operand, shape.tokens(), shape.keyWidth());
        DeviceMatrix out = memory.empty(operand, shape.tokens(), shape.hidden());
        List<Measurement> measurements = new ArrayList<>();
        for (AttentionMethod method : AttentionMethod.values()) {
            if (method == AttentionMethod.FUSED && !AttentionKernels.supports(heads.size(), operand)) {
                continue;
            }
            try (HeadAttention attention = attention(method)) {
                measurements.add(new Measurement(
                        method.name().toLowerCase(Locale.ROOT),
                        shape.tokens() + " tokens, " + heads.count() + " heads of " + heads.size() + " " + operand,
                        clock.seconds(() -> attention.attend(queries, keys, values, rule(), out)),
                        work()));
            }
        }
        return measurements;
    }

    private HeadAttention attention(AttentionMethod method) {
        return switch (method) {
            case TILED ->
                new TiledAttention(
                        device,
                        heads,
                        operand,
                        Chunking.of(shape.sequences(), shape.sequenceLength()),
                        memory.empty(DType.F32, shape.tokens(), shape.hidden()));
            case FUSED -> new FusedAttention(device, heads, operand, shape.sequenceLength());
        };
    }

    private AttentionRule rule() {
        return AttentionRule.causal((float) (1 / Math.sqrt(shape.headDim())));
    }

    private Work work() {
        double pairs = (double) shape.tokens() * (shape.sequenceLength() + 1) / 2;
        double operations = 4 * pairs * shape.hidden();
        return operand == DType.F32 ? Work.ofFloats(operations) : Work.ofHalves(operations);
    }
}
