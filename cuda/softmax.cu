// Twins of the kernels in ptx/softmax.ptx.
#include <math_constants.h>

#include "elements.cuh"

// weights[r, c] = exp(scale * (scores[r, c] - max)) / sum for c <= r % length, else 0; a warp per row.
extern "C" __global__ void __launch_bounds__(256) softmax_causal(
        void *weights, unsigned weights_type, const float *scores, unsigned rows, unsigned length, float scale) {
    const unsigned lane = threadIdx.x % 32;
    for (unsigned row = blockIdx.x * 8 + threadIdx.x / 32; row < rows; row += gridDim.x * 8) {
        const unsigned visible = row % length + 1;
        float maximum = -CUDART_INF_F;
        for (unsigned column = lane; column < visible; column += 32) {
            maximum = fmaxf(maximum, scores[at(row, length, column)]);
        }
        for (unsigned distance = 16; distance > 0; distance /= 2) {
            maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffff, maximum, distance));
        }
        float sum = 0;
        for (unsigned column = lane; column < visible; column += 32) {
            sum += expf(scale * (scores[at(row, length, column)] - maximum));
        }
        for (unsigned distance = 16; distance > 0; distance /= 2) {
            sum += __shfl_xor_sync(0xffffffff, sum, distance);
        }
        for (unsigned column = lane; column < length; column += 32) {
            const unsigned long long i = at(row, length, column);
            store(weights, weights_type, i, column < visible ? expf(scale * (scores[i] - maximum)) / sum : 0);
        }
    }
}

// weights[r, c] = exp(y[c] - max) / sum for i - window < c <= i with i = r % length, else 0, where y is the scaled score,
// or cap * tanh(scaled score / cap); a warp per row.
extern "C" __global__ void __launch_bounds__(256) softmax_windowed(
        void *weights, unsigned weights_type, const float *scores, unsigned rows, unsigned length, float scale,
        unsigned window, float cap) {
    const unsigned lane = threadIdx.x % 32;
    const float inner = cap > 0 ? scale / cap : 1;
    const float factor = cap > 0 ? cap : scale;
    for (unsigned row = blockIdx.x * 8 + threadIdx.x / 32; row < rows; row += gridDim.x * 8) {
        const unsigned visible = row % length + 1;
        const unsigned first = visible - min(window, visible);
        float maximum = -CUDART_INF_F;
        for (unsigned column = first + lane; column < visible; column += 32) {
            maximum = fmaxf(maximum, scores[at(row, length, column)]);
        }
        for (unsigned distance = 16; distance > 0; distance /= 2) {
            maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffff, maximum, distance));
        }
        maximum = cap > 0 ? tanhf(maximum * inner) : maximum;
        float sum = 0;
        for (unsigned column = first + lane; column < visible; column += 32) {
            const float score = scores[at(row, length, column)];
            sum += expf(factor * ((cap > 0 ? tanhf(score * inner) : score) - maximum));
        }
        for (unsigned distance = 16; distance > 0; distance /= 2) {
            sum += __shfl_xor_sync(0xffffffff, sum, distance);
        }
        for (unsigned column = lane; column < length; column += 32) {
            const unsigned long long i = at(row, length, column);
            float weight = 0;
            if (column >= first && column < visible) {
                weight = expf(factor * ((cap > 0 ? tanhf(scores[i] * inner) : scores[i]) - maximum)) / sum;
            }
            store(weights, weights_type, i, weight);
        }
    }
}
