/** Reading and writing safetensors: headers that are checked before they are believed, memory-mapped files of any size, sharded checkpoints, and a writer whose layout is fixed before the first byte. Nothing here knows what a tensor is for. */
@NullMarked
package io.gpuquant.safetensors;

import org.jspecify.annotations.NullMarked;
