/** What a model family is (names, shapes, norms, rotary embeddings) and its forward pass as stages over a device. Nothing here knows quantization or an output format. */
@NullMarked
package io.gpuquant.model;

import org.jspecify.annotations.NullMarked;
