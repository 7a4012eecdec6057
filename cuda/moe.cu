// Twins of the kernels in ptx/moe.ptx.
#include <math_constants.h>

#include "elements.cuh"

// For each token the `chosen` experts with the largest logits and their shares; a warp per token, of which one lane works.
extern "C" __global__ void __launch_bounds__(256) route_top_k(
        unsigned *ids, float *shares, const float *logits, unsigned tokens, unsigned experts, unsigned chosen,
        unsigned normalized) {
    if (threadIdx.x % 32 != 0) {
        return;
    }
    for (unsigned token = blockIdx.x * 8 + threadIdx.x / 32; token < tokens; token += gridDim.x * 8) {
        float maximum = -CUDART_INF_F;
        float all = 0;
        for (unsigned expert = 0; expert < experts; expert++) {
            maximum = fmaxf(maximum, logits[at(token, experts, expert)]);
        }
        for (unsigned expert = 0; expert < experts; expert++) {
            all += expf(logits[at(token, experts, expert)] - maximum);
        }
        float last = CUDART_INF_F;
        unsigned last_expert = 0;
        float top = 0;
        for (unsigned place = 0; place < chosen; place++) {
            float best = -CUDART_INF_F;
            unsigned best_expert = experts;
            for (unsigned expert = 0; expert < experts; expert++) {
                const float logit = logits[at(token, experts, expert)];
                const bool after = place == 0 || logit < last || (logit == last && expert > last_expert);
                if (after && (best_expert == experts || logit > best)) {
                    best = logit;
                    best_expert = expert;
                }
            }
            last = best;
            last_expert = best_expert;
            ids[at(token, chosen, place)] = best_expert;
            shares[at(token, chosen, place)] = expf(best - maximum);
            top += expf(best - maximum);
        }
        for (unsigned place = 0; place < chosen; place++) {
            shares[at(token, chosen, place)] /= normalized ? top : all;
        }
    }
}

// out[i, c] = in[slots[i] / chosen, c], of elements of 2 or 4 bytes.
extern "C" __global__ void __launch_bounds__(256) gather_rows(
        void *out, const void *in, const unsigned *slots, unsigned count, unsigned columns, unsigned chosen,
        unsigned size) {
    const unsigned column = blockIdx.x * 256 + threadIdx.x;
    if (column >= columns) {
        return;
    }
    for (unsigned row = blockIdx.y; row < count; row += gridDim.y) {
        const unsigned long long from = at(entry(slots, row) / chosen, columns, column);
        const unsigned long long to = at(row, columns, column);
        if (size == 4) {
            static_cast<unsigned *>(out)[to] = static_cast<const unsigned *>(in)[from];
        } else {
            static_cast<unsigned short *>(out)[to] = static_cast<const unsigned short *>(in)[from];
        }
    }
}

// hidden[slots[i] / chosen, c] = fma(shares[slots[i]], delta[i, c], hidden[slots[i] / chosen, c]).
extern "C" __global__ void __launch_bounds__(256) scatter_add_rows(
        float *hidden, const float *delta, const float *shares, const unsigned *slots, unsigned count,
        unsigned columns, unsigned chosen) {
    const unsigned column = blockIdx.x * 256 + threadIdx.x;
    if (column >= columns) {
        return;
    }
    for (unsigned row = blockIdx.y; row < count; row += gridDim.y) {
        const unsigned slot = entry(slots, row);
        const unsigned long long sum = at(slot / chosen, columns, column);
        hidden[sum] = fmaf(shares[slot], delta[at(row, columns, column)], hidden[sum]);
    }
}
