package io.gpuquant.format;

import io.gpuquant.tensor.HostTensor;
import java.util.Optional;

/** Gives tensors by name: those of a finished checkpoint, or of one that is being written. */
@FunctionalInterface
public interface TensorReader {

    /** The tensor of this name, if there is one. */
    Optional<HostTensor> find(String name);
}
