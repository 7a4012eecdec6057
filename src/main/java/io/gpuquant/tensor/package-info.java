/** Element types, shapes and off-heap tensors: what every other package means by a tensor. Nothing here reads a file, knows a device or does arithmetic beyond converting element types. */
@NullMarked
package io.gpuquant.tensor;

import org.jspecify.annotations.NullMarked;
