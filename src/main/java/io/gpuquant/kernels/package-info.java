/** The typed Java face of every kernel in {@code ptx/}: shapes and types are checked here, launch shapes are chosen here, and nothing else launches. No algorithm of more than one launch lives here, but for those that are one operation to their caller. */
@NullMarked
package io.gpuquant.kernels;

import org.jspecify.annotations.NullMarked;
