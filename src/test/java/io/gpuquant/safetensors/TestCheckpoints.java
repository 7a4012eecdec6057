package io.gpuquant.safetensors;

import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Writes small checkpoint folders for tests. */
public final class TestCheckpoints {

    private TestCheckpoints() {}

    /**
     * Writes a folder with {@code model.safetensors} that holds one vector per entry, in the order of the map.
     *
     * @param dtype F32, F16 or BF16; values are rounded to nearest even
     * @return the folder
     */
    public static Path write(Path directory, DType dtype, Map<String, float[]> vectors) {
        return write(
                directory,
                vectors.entrySet().stream()
                        .map(entry ->
                                tensor(entry.getKey(), dtype, Shape.of(entry.getValue().length), entry.getValue()))
                        .toList());
    }

    /**
     * Writes a folder with {@code model.safetensors} that holds these tensors in this order.
     *
     * @return the folder
     */
    public static Path write(Path directory, List<HostTensor> tensors) {
        return write(directory, tensors, CheckpointLayout.DEFAULT_MAX_SHARD_BYTES);
    }

    /**
     * Writes a folder that holds these tensors in this order, in shards of at most {@code maxShardBytes}.
     *
     * @return the folder
     */
    public static Path write(Path directory, List<HostTensor> tensors, long maxShardBytes) {
        List<TensorSpec> specs = tensors.stream()
                .map(tensor -> new TensorSpec(tensor.name(), tensor.dtype(), tensor.shape()))
                .toList();
        CheckpointLayout layout = CheckpointLayout.of(specs, CheckpointLayout.DEFAULT_METADATA, maxShardBytes);
        try (CheckpointWriter writer = CheckpointWriter.create(directory, layout)) {
            tensors.forEach(tensor -> writer.write(tensor.name(), tensor.data()));
            writer.finish();
        }
        return directory;
    }

    /** A tensor of F32, F16 or BF16 with these values, rounded to nearest even. */
    public static HostTensor tensor(String name, DType dtype, Shape shape, float... values) {
        MemorySegment data = MemorySegment.ofArray(new byte[values.length * dtype.bytes()]);
        for (int i = 0; i < values.length; i++) {
            Elements.setFloat(data, dtype, i, values[i]);
        }
        return new HostTensor(name, dtype, shape, data);
    }

    /** A tensor of any type with these bytes. */
    public static HostTensor bytes(String name, DType dtype, Shape shape, byte... bytes) {
        return new HostTensor(name, dtype, shape, MemorySegment.ofArray(bytes));
    }
}
