/**
 * Models by name: finds them in the cache that Hugging Face's own tools keep, and downloads into it what is missing. Knows
 * files and HTTP, and nothing of what is in the files beyond the index of shards.
 */
@NullMarked
package io.gpuquant.hub;

import org.jspecify.annotations.NullMarked;
