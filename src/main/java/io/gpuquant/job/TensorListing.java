package io.gpuquant.job;

import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.tensor.DType;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** The tensors of a checkpoint one by one, in the order they are stored. */
public final class TensorListing {

    /** Ends of the names of tensors whose words hold several codes each: as numbers they say nothing. */
    private static final Set<String> PACKED = Set.of(".qweight", ".qzeros", ".weight_packed", ".weight_zero_point");

    private TensorListing() {}

    /**
     * A tensor.
     *
     * @param file that holds it
     * @param position of its first byte in the file
     * @param range of its values; empty where it was not asked for, for packed codes, and for types that are not readable
     */
    public record Entry(
            String name,
            DType dtype,
            String shape,
            Path file,
            long position,
            long bytes,
            Optional<TensorRange> range) {}

    /**
     * Lists a checkpoint folder by its headers alone.
     *
     * @throws io.gpuquant.InputException when it is missing or damaged
     */
    public static List<Entry> of(Path folder) {
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            return checkpoint.tensors().stream()
                    .map(info -> entry(checkpoint, info, Optional.empty()))
                    .toList();
        }
    }

    /**
     * Lists a checkpoint folder with the ranges of its tensors: every byte is read once, and none is kept.
     *
     * @throws io.gpuquant.InputException when it is missing or damaged
     */
    public static List<Entry> withRanges(Path folder) {
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            return checkpoint.tensors().parallelStream()
                    .map(info -> entry(checkpoint, info, range(checkpoint, info)))
                    .toList();
        }
    }

    private static Optional<TensorRange> range(Checkpoint checkpoint, TensorInfo info) {
        return isPacked(info) ? Optional.empty() : TensorRange.of(checkpoint.tensor(info.name()));
    }

    private static boolean isPacked(TensorInfo info) {
        return info.dtype() == DType.I32 && PACKED.stream().anyMatch(info.name()::endsWith);
    }

    private static Entry entry(Checkpoint checkpoint, TensorInfo info, Optional<TensorRange> range) {
        return new Entry(
                info.name(),
                info.dtype(),
                info.shape().toString(),
                checkpoint.fileOf(info.name()).getFileName(),
                checkpoint.positionOf(info.name()),
                info.byteSize(),
                range);
    }
}
