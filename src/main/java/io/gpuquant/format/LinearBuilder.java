package io.gpuquant.format;

import io.gpuquant.tensor.HostTensor;
import java.util.List;

/**
 * A linear that is put together on the processor. Each value is set once. Codes of output features in different blocks of 32
 * share no word, so threads may set them at the same time.
 */
public sealed interface LinearBuilder permits AwqBuilder, PackQuantizedBuilder {

    /** Sets the code of a weight. */
    void code(int inputFeature, int outputFeature, int code);

    /** Sets the zero point of a group. */
    void zero(int group, int outputFeature, int zero);

    /** Sets the scale of a group, which the layout's type must hold exactly. */
    void scale(int group, int outputFeature, float scale);

    /** The tensors, in the order they are written. */
    List<HostTensor> tensors();
}
