package io.gpuquant.job;

import io.gpuquant.model.LinearSpec;

/**
 * What becomes of a linear.
 *
 * @param quantized whether it is quantized, or kept as it is
 * @param reason why it is kept; empty when it is quantized
 */
public record LinearDecision(LinearSpec linear, boolean quantized, String reason) {}
