/** What llama.cpp wants to find in a GGUF file of a model: the vocabulary, hyperparameters and tensors under its own names. Nothing here runs a kernel. */
@NullMarked
package io.gpuquant.llamacpp;

import org.jspecify.annotations.NullMarked;
