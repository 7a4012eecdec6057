/** GGUF as llama.cpp reads it: the container with a header that is checked before it is believed, the types of blocks, and a writer whose layout is fixed before the first byte. Nothing here knows a model. */
@NullMarked
package io.gpuquant.gguf;

import org.jspecify.annotations.NullMarked;
