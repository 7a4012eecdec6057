/** What a machine that runs kernels offers: memory, streams, launches and matrix products, and how one is chosen. The implementations live in the packages below and are found as services; nothing here names one. */
@NullMarked
package io.gpuquant.device;

import org.jspecify.annotations.NullMarked;
