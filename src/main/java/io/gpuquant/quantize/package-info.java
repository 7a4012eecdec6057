/** Quantization methods: weights and statistics of their inputs into integer codes, scales and zero points, or into elements of narrow types, on a device. Nothing here knows a model family or a file. */
@NullMarked
package io.gpuquant.quantize;

import org.jspecify.annotations.NullMarked;
