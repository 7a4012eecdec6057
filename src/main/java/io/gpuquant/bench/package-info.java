/**
 * How fast a device runs every kernel and every step of a layer, each against the time that the device's own memory and
 * arithmetic would take. Quantizes nothing that anyone keeps.
 */
@NullMarked
package io.gpuquant.bench;

import org.jspecify.annotations.NullMarked;
