/** The self-test: every kernel and every service of a device, run on that device and compared with the virtual GPU. Cases are records, one file per family of kernels; nothing else may depend on this package but the command line. */
@NullMarked
package io.gpuquant.kernels.selftest;

import org.jspecify.annotations.NullMarked;
