// Twin of the kernel in ptx/divergence.ptx.
#include <math_constants.h>

#include "elements.cuh"

// sums[r] = (sum exp(p), sum exp(q), sum exp(p) (p - q), whether a column is the largest of both rows), a block per row;
// p and q are the logits of two models minus their maxima.
extern "C" __global__ void __launch_bounds__(256) divergence_sums(
        double *sums, const float *logits, const float *others, unsigned rows, unsigned vocabulary) {
    __shared__ float maxima_p[256];
    __shared__ float maxima_q[256];
    __shared__ double parts[256][4];
    const unsigned row = blockIdx.x;
    if (row >= rows) {
        return;
    }
    float max_p = -CUDART_INF_F;
    float max_q = -CUDART_INF_F;
    for (unsigned token = threadIdx.x; token < vocabulary; token += blockDim.x) {
        max_p = fmaxf(max_p, logits[at(row, vocabulary, token)]);
        max_q = fmaxf(max_q, others[at(row, vocabulary, token)]);
    }
    maxima_p[threadIdx.x] = max_p;
    maxima_q[threadIdx.x] = max_q;
    __syncthreads();
    for (unsigned i = 0; i < blockDim.x; i++) {
        max_p = fmaxf(max_p, maxima_p[i]);
        max_q = fmaxf(max_q, maxima_q[i]);
    }
    double part[4] = {0, 0, 0, 0};
    for (unsigned token = threadIdx.x; token < vocabulary; token += blockDim.x) {
        const float p = logits[at(row, vocabulary, token)];
        const float q = others[at(row, vocabulary, token)];
        const float exp_p = expf(p - max_p);
        part[0] += exp_p;
        part[1] += expf(q - max_q);
        part[2] += exp_p == 0 ? 0 : static_cast<double>(exp_p) * ((p - max_p) - (q - max_q));
        if (p == max_p && q == max_q) {
            part[3] = 1;
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        parts[threadIdx.x][i] = part[i];
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        for (unsigned thread = 1; thread < blockDim.x; thread++) {
            for (unsigned i = 0; i < 3; i++) {
                part[i] += parts[thread][i];
            }
            part[3] = fmax(part[3], parts[thread][3]);
        }
        for (unsigned i = 0; i < 4; i++) {
            sums[at(row, 4, i)] = part[i];
        }
    }
}
