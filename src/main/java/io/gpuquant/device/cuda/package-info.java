/** The device that is an NVIDIA GPU: JCuda for the driver, cuBLAS through foreign functions. Nothing outside this package touches JCuda. */
@NullMarked
package io.gpuquant.device.cuda;

import org.jspecify.annotations.NullMarked;
