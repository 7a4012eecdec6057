/** How quantized checkpoints lie on disk: layouts, packing rules, configuration keys, and a reader that shares no code with the kernels that pack. Nothing here computes a quantization. */
@NullMarked
package io.gpuquant.format;

import org.jspecify.annotations.NullMarked;
