package io.gpuquant.ptx;

/**
 * What became of a launch.
 *
 * @param warpInstructions instructions executed, each by up to 32 lanes
 * @param statistics what a checked machine counted; empty on a fast one
 */
public record LaunchResult(long warpInstructions, LaunchStatistics statistics) {}
