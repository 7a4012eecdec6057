/** A run from start to end: plan, preflight, layer by layer, journal, resume, verify, report. Nothing here parses a command line or prints. */
@NullMarked
package io.gpuquant.job;

import org.jspecify.annotations.NullMarked;
