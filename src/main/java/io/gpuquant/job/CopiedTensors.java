package io.gpuquant.job;

import io.gpuquant.InputException;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.CheckpointLayout;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.NonFinite;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Set;

/** Writes the tensors that are not quantized: byte for byte, but for the biases of quantized linears, which get the type that the format has them in. */
final class CopiedTensors {

    private CopiedTensors() {}

    /**
     * Copies all tensors of the source that the output has too.
     *
     * @param made names of tensors that are written by others
     * @throws InputException when one holds a NaN or an infinity, before anything is written
     */
    static void copy(Checkpoint source, CheckpointLayout layout, Set<String> made, TensorOutput output) {
        check(source, layout, made);
        write(source, layout, made, output);
    }

    /**
     * Checks what {@link #write} is to write.
     *
     * @throws InputException when a tensor holds a NaN or an infinity, or what does not fit the type that it gets
     */
    static void check(Checkpoint source, CheckpointLayout layout, Set<String> made) {
        for (TensorInfo info : copied(source, layout, made)) {
            HostTensor tensor = source.tensor(info.name());
            if (info.dtype().isComputeType()) {
                requireFinite(source, tensor);
            }
            DType target = layout.info(info.name()).dtype();
            if (target != info.dtype()) {
                requireFit(source, tensor, target);
            }
        }
    }

    /** Copies tensors that have been checked. */
    static void write(Checkpoint source, CheckpointLayout layout, Set<String> made, TensorOutput output) {
        for (TensorInfo info : copied(source, layout, made)) {
            HostTensor tensor = source.tensor(info.name());
            DType target = layout.info(info.name()).dtype();
            if (target == info.dtype()) {
                output.write(info.name(), tensor.data());
            } else {
                try (Arena arena = Arena.ofConfined()) {
                    output.write(info.name(), convert(tensor, target, arena));
                }
            }
        }
    }

    private static List<TensorInfo> copied(Checkpoint source, CheckpointLayout layout, Set<String> made) {
        return source.tensors().stream()
                .filter(info -> layout.contains(info.name()) && !made.contains(info.name()))
                .toList();
    }

    private static void requireFinite(Checkpoint source, HostTensor tensor) {
        NonFinite.first(tensor.data(), tensor.dtype()).ifPresent(element -> {
            throw new InputException(
                    source.fileOf(tensor.name()) + ": " + tensor.name() + " holds a NaN or an infinity at element "
                            + element + "; the checkpoint is damaged, download it again");
        });
    }

    private static void requireFit(Checkpoint source, HostTensor tensor, DType target) {
        try (Arena arena = Arena.ofShared()) {
            NonFinite.first(convert(tensor, target, arena), target).ifPresent(element -> {
                throw new InputException(source.fileOf(tensor.name()) + ": " + tensor.name() + " has the value "
                        + Elements.floatAt(tensor.data(), tensor.dtype(), element) + " at element " + element
                        + ", which does not fit " + target + ", the type of biases in this format");
            });
        }
    }

    private static MemorySegment convert(HostTensor tensor, DType target, Arena arena) {
        long count = tensor.shape().elementCount();
        MemorySegment converted = arena.allocate(target.bytes(count));
        for (long i = 0; i < count; i++) {
            Elements.setFloat(converted, target, i, Elements.floatAt(tensor.data(), tensor.dtype(), i));
        }
        return converted;
    }
}
