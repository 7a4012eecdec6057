package io.gpuquant.job;

import io.gpuquant.InputException;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.CheckpointLayout;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Set;

/** Writes the tensors that are not quantized: byte for byte, but for the biases of quantized linears, which get the type that the format has them in. */
final class CopiedTensors {

    private CopiedTensors() {}

    /**
     * Copies all tensors of the source that the output has too.
     *
     * @throws InputException when one holds a NaN or an infinity
     */
    static void copy(Checkpoint source, QuantizationPlan plan, TensorOutput output) {
        copy(source, plan.layout(), plan.rewrittenTensors(), output);
    }

    /**
     * Copies all tensors of the source that the output has too.
     *
     * @param made names of tensors that are written by others
     * @throws InputException when one holds a NaN or an infinity
     */
    static void copy(Checkpoint source, CheckpointLayout layout, Set<String> made, TensorOutput output) {
        for (TensorInfo info : source.tensors()) {
            if (!layout.contains(info.name()) || made.contains(info.name())) {
                continue;
            }
            HostTensor tensor = source.tensor(info.name());
            if (info.dtype().isComputeType()) {
                requireFinite(source, tensor);
            }
            DType target = layout.info(info.name()).dtype();
            if (target == info.dtype()) {
                output.write(info.name(), tensor.data());
            } else {
                try (Arena arena = Arena.ofConfined()) {
                    output.write(info.name(), convert(source, tensor, target, arena));
                }
            }
        }
    }

    private static void requireFinite(Checkpoint source, HostTensor tensor) {
        long count = tensor.shape().elementCount();
        MemorySegment data = tensor.data();
        DType dtype = tensor.dtype();
        for (long i = 0; i < count; i++) {
            if (!Float.isFinite(Elements.floatAt(data, dtype, i))) {
                throw new InputException(
                        source.fileOf(tensor.name()) + ": " + tensor.name() + " holds a NaN or an infinity at element "
                                + i + "; the checkpoint is damaged, download it again");
            }
        }
    }

    private static MemorySegment convert(Checkpoint source, HostTensor tensor, DType target, Arena arena) {
        long count = tensor.shape().elementCount();
        MemorySegment converted = arena.allocate(target.bytes(count));
        for (long i = 0; i < count; i++) {
            float value = Elements.floatAt(tensor.data(), tensor.dtype(), i);
            Elements.setFloat(converted, target, i, value);
            if (!Float.isFinite(Elements.floatAt(converted, target, i))) {
                throw new InputException(
                        source.fileOf(tensor.name()) + ": " + tensor.name() + " has the value " + value + " at element "
                                + i + ", which does not fit " + target + ", the type of biases in this format");
            }
        }
        return converted;
    }
}
