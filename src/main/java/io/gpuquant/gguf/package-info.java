/**
 * The tensors of GGUF files: element types and their blocks, weights into blocks byte for byte as ggml writes them, and back. Nothing
 * here knows a device; the quantizers are the processor's fast path beside the kernels.
 */
@NullMarked
package io.gpuquant.gguf;

import org.jspecify.annotations.NullMarked;
