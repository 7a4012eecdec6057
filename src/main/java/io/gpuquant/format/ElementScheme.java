package io.gpuquant.format;

import io.gpuquant.InputException;
import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import java.util.List;
import java.util.Optional;

/**
 * What every linear of a checkpoint has in common whose weights are numbers of a narrow type, each times the scale of its
 * block: bitsandbytes, FP8, and the family of compressed-tensors beyond integers in words.
 */
public sealed interface ElementScheme permits BnbScheme, Fp8BlockScheme, CompressedScheme {

    /** The type that weights had before they were quantized, and that engines compute in: F32, F16 or BF16. */
    DType weightType();

    /** What it is called, such as {@code bnb NF4} or {@code compressed-tensors FP8_DYNAMIC}. */
    String describe();

    /** Bits of an element. */
    int bits();

    /** What a linear of this size has that cannot be stored, to be read after "it has"; empty when it can be. */
    Optional<String> obstacle(int in, int out);

    /** The tensors that replace the weight of a linear, in the order they are written. */
    List<TensorSpec> specs(String module, int in, int out);

    /** The tensor with the codes of a linear. */
    String codes(String module);

    /** The element type of the tensor with the codes. */
    DType codesType();

    /**
     * Finds the tensors of a linear and checks their types and shapes against each other.
     *
     * @throws InputException when one is missing or does not fit the others
     */
    ElementLinear read(TensorReader reader, String module);

    /** Whether the checkpoint holds a linear in this form. */
    default boolean holds(TensorReader reader, String module) {
        return reader.find(codes(module))
                .filter(tensor -> tensor.dtype() == codesType())
                .isPresent();
    }

    /** A tensor that must be there. */
    static HostTensor require(TensorReader reader, String name) {
        return reader.find(name)
                .orElseThrow(() -> new InputException("the checkpoint has no tensor " + name
                        + ", which belongs to a quantized linear; it is damaged or not finished"));
    }
}
