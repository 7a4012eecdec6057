/** The virtual GPU: a PTX parser, a decoder and a machine that runs warps in lockstep over 32-lane registers, with or without its checks. Nothing here knows a kernel of the product, a device interface or a model. */
@NullMarked
package io.gpuquant.ptx;

import org.jspecify.annotations.NullMarked;
