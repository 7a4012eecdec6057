/** Files as every format needs them: memory-mapped for reading, written durably, and failures that are told in a sentence. Nothing here knows what a file holds. */
@NullMarked
package io.gpuquant.file;

import org.jspecify.annotations.NullMarked;
