package io.gpuquant.format;

import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.Optional;

/** What every quantized linear of a checkpoint has in common, and how such a linear lies on disk. */
public sealed interface PackedScheme permits GptqScheme, TargetScheme {

    /** Bits of a code. */
    int bits();

    /** Input features that share a scale; -1 for all of a linear. */
    int groupSize();

    /** Whether every zero point is in the middle of the codes. */
    boolean symmetric();

    /** Input features of a group of a linear with {@code in} input features. */
    default int groupSize(int in) {
        return groupSize() == -1 ? in : groupSize();
    }

    /** Groups of a linear with {@code in} input features. */
    default int groups(int in) {
        return (in + groupSize(in) - 1) / groupSize(in);
    }

    /** The type of the scales that are written. */
    default DType scaleType() {
        return DType.F16;
    }

    /**
     * The type in which engines expect the bias of a quantized linear.
     *
     * @param original its type before
     */
    default DType biasType(DType original) {
        return DType.F16;
    }

    /** What a linear of this size has that cannot be stored, to be read after "it has"; empty when it can be. */
    Optional<String> obstacle(int in, int out);

    /** The tensors that replace the weight of a linear, in the order they are written. */
    List<TensorSpec> specs(String module, int in, int out);

    /** The tensor with the codes of a linear. */
    String codes(String module);

    /** The tensor with its zero points. */
    String zeros(String module);

    /** The tensor with its scales. */
    String scales(String module);

    /**
     * Finds the tensors of a linear and checks their types and shapes against each other.
     *
     * @throws io.gpuquant.InputException when one is missing or does not fit the others
     */
    PackedLinear read(TensorReader reader, String module);
}
