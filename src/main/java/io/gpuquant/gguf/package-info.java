/**
 * GGUF as llama.cpp reads it: the container with a header that is checked before it is believed, a writer whose layout is fixed
 * before the first byte, element types and their blocks, weights into blocks byte for byte as ggml writes them, and back. Nothing
 * here knows a model or a device; the quantizers are the processor's fast path beside the kernels.
 */
@NullMarked
package io.gpuquant.gguf;

import org.jspecify.annotations.NullMarked;
