/** Text files into token sequences. Nothing here knows a device. */
@NullMarked
package io.gpuquant.calibration;

import org.jspecify.annotations.NullMarked;
