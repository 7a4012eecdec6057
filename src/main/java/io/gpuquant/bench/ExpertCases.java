package io.gpuquant.bench;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ExpertKernels;
import io.gpuquant.kernels.ExpertKernels.Shares;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.stream.IntStream;

/** Kernels of mixtures of experts: the routing of tokens, and rows for an expert that every token goes to. */
final class ExpertCases {

    private static final int EXPERTS = 128;
    private static final int CHOSEN = 8;

    private final int tokens;
    private final int columns;
    private final DType operand;

    private ExpertCases(LayerShape shape, DType operand) {
        this.operand = operand;
        tokens = shape.tokens();
        columns = shape.hidden();
    }

    static List<KernelCase> of(Device device, LayerShape shape) {
        ExpertCases cases = new ExpertCases(shape, device.operandType(DType.BF16));
        return List.of(cases.route(), cases.gather(), cases.scatterAdd());
    }

    private KernelCase route() {
        Work work = Work.ofBytes(tokens * (4.0 * EXPERTS + 8 * CHOSEN));
        return KernelCase.of("route_top_k", tokens, EXPERTS, work, memory -> {
            DeviceMatrix logits = memory.random(DType.F32, tokens, EXPERTS);
            DeviceMatrix ids = memory.empty(DType.I32, tokens, CHOSEN);
            DeviceMatrix shares = memory.empty(DType.F32, tokens, CHOSEN);
            return () -> new ExpertKernels(memory.device().stream()).route(logits, Shares.OF_CHOSEN, ids, shares);
        });
    }

    private KernelCase gather() {
        Work work = Work.ofBytes(2.0 * operand.bytes() * tokens * columns);
        return KernelCase.of("gather_rows", tokens, columns, work, memory -> {
            DeviceMatrix in = memory.random(operand, tokens, columns);
            DeviceMatrix slots = slots(memory);
            DeviceMatrix out = memory.empty(operand, tokens, columns);
            return () -> new ExpertKernels(memory.device().stream()).gather(in, slots, CHOSEN, out);
        });
    }

    private KernelCase scatterAdd() {
        Work work = Work.ofBytes(12.0 * tokens * columns);
        return KernelCase.of("scatter_add_rows", tokens, columns, work, memory -> {
            DeviceMatrix delta = memory.random(DType.F32, tokens, columns);
            DeviceMatrix shares = memory.uniform(tokens, CHOSEN);
            DeviceMatrix slots = slots(memory);
            DeviceMatrix hidden = memory.random(DType.F32, tokens, columns);
            return () -> new ExpertKernels(memory.device().stream()).scatterAdd(delta, shares, slots, hidden);
        });
    }

    private DeviceMatrix slots(BenchMemory memory) {
        return memory.integers(
                IntStream.range(0, tokens).map(token -> token * CHOSEN).toArray());
    }
}
