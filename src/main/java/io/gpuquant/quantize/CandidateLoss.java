package io.gpuquant.quantize;

import io.gpuquant.kernels.AwqKernels.Rounding;
import io.gpuquant.kernels.ReductionKernels;

/** What the candidates of a search are judged by. */
public interface CandidateLoss {

    /** Into how many pieces the loss of a candidate falls. */
    int pieces();

    /**
     * Queues the computation of a candidate's loss.
     *
     * @param rounding the weights, with the scales of the candidate
     */
    void add(ReductionKernels.Sums losses, int candidate, Rounding rounding);
}
