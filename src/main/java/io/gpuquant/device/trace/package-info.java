/** A timeline of a run: devices that note what is queued on them, and the file that shows it. Nothing here changes what is computed. */
@NullMarked
package io.gpuquant.device.trace;

import org.jspecify.annotations.NullMarked;
