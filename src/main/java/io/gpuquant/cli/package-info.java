/** The command line: options, messages, progress and tables. No decision about quantization is taken here. */
@NullMarked
package io.gpuquant.cli;

import org.jspecify.annotations.NullMarked;
