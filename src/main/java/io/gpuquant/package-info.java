/** gpuquant: quantizes Hugging Face checkpoints on an NVIDIA GPU, or on a virtual one. */
@NullMarked
package io.gpuquant;

import org.jspecify.annotations.NullMarked;
