/** The device that is this machine's processor: the virtual GPU for kernels, OpenBLAS for matrix products. Nothing outside this package touches OpenBLAS. */
@NullMarked
package io.gpuquant.device.host;

import org.jspecify.annotations.NullMarked;
