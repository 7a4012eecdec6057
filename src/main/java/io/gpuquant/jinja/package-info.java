/**
 * Jinja templates as far as chat templates use them: a chat template of a checkpoint gives the same text here as in
 * transformers. Nothing here knows models or files. What a template can reach is what it is given: there is no way to files,
 * to the clock or to Java objects.
 */
@NullMarked
package io.gpuquant.jinja;

import org.jspecify.annotations.NullMarked;
