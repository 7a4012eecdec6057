/** How good a checkpoint is: perplexity and token log-probabilities, by one code path for every format. Nothing here writes a checkpoint. */
@NullMarked
package io.gpuquant.evaluate;

import org.jspecify.annotations.NullMarked;
