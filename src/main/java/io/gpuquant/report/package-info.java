/** Pages for people: what a comparison found, as one HTML file with plots that need nothing from elsewhere. Nothing here computes a score. */
@NullMarked
package io.gpuquant.report;

import org.jspecify.annotations.NullMarked;
