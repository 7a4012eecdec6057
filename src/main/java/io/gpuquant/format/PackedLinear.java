package io.gpuquant.format;

/**
 * A quantized linear, read on the processor, one value at a time, by code that has nothing in common with the kernels that
 * write the format and those that engines read it with: what both agree on is in the file.
 */
public sealed interface PackedLinear permits GptqLinear, AwqLinear, PackQuantizedLinear {

    /** Input features. */
    int in();

    /** Output features. */
    int out();

    /** The code of a weight. */
    int code(int inputFeature, int outputFeature);

    /** The zero point of a group. */
    int zero(int group, int outputFeature);

    /** The scale of a group. */
    float scale(int group, int outputFeature);

    /** The group of an input feature. */
    int group(int inputFeature);

    /** The weight that an engine computes with. */
    default float weight(int outputFeature, int inputFeature) {
        int group = group(inputFeature);
        return scale(group, outputFeature) * (code(inputFeature, outputFeature) - zero(group, outputFeature));
    }
}
