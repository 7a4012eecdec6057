// Twin of the kernel in ptx/loss.ptx.
#include <math_constants.h>

#include "elements.cuh"

// log_probabilities[r] = logits[r, targets[r]] - log(sum of exp(logits[r])), a block per row.
extern "C" __global__ void __launch_bounds__(256) cross_entropy(
        float *log_probabilities, const float *logits, const unsigned *targets, unsigned rows, unsigned vocabulary) {
    __shared__ float maxima[256];
    __shared__ double sums[256];
    const unsigned row = blockIdx.x;
    if (row >= rows) {
        return;
    }
    float maximum = -CUDART_INF_F;
    for (unsigned token = threadIdx.x; token < vocabulary; token += 256) {
        maximum = fmaxf(maximum, logits[at(row, vocabulary, token)]);
    }
    maxima[threadIdx.x] = maximum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (unsigned i = 1; i < 256; i++) {
            maximum = fmaxf(maximum, maxima[i]);
        }
        maxima[0] = maximum;
    }
    __syncthreads();
    maximum = maxima[0];
    double sum = 0;
    for (unsigned token = threadIdx.x; token < vocabulary; token += 256) {
        sum += expf(logits[at(row, vocabulary, token)] - maximum);
    }
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (unsigned i = 1; i < 256; i++) {
            sum += sums[i];
        }
        const double logit = logits[at(row, vocabulary, entry(targets, row))];
        log_probabilities[row] = static_cast<float>(logit - maximum - logf(static_cast<float>(sum)));
    }
}
