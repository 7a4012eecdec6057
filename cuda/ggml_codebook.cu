// Twins of the kernels in ptx/ggml_codebook.ptx.
#include "ggml.cuh"

__constant__ signed char CODEBOOK[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

// The level of the nearest value; of two the upper.
static __device__ unsigned codebook_level(float scaled) {
    float twice = scaled + scaled;
    unsigned level = 0;
    for (unsigned step = 8; step > 0; step /= 2) {
        unsigned candidate = level + step;
        if (twice >= (float) (CODEBOOK[candidate - 1] + CODEBOOK[candidate])) {
            level = candidate;
        }
    }
    return level;
}

// Groups of 32.
extern "C" __global__ void __launch_bounds__(128) ggml_fit_codebook(
        const float *x, const float *weights, float *scales, unsigned groups) {
    unsigned group = blockIdx.x * 128 + threadIdx.x;
    if (group >= groups) {
        return;
    }
    x += (size_t) group * 32;
    weights += (size_t) group * 32;
    float largest = signed_largest(x, 32);
    float scale = 0;
    float best = 0;
    if (!(fabsf(largest) < NEGLIGIBLE)) {
        for (int attempt = -8; attempt <= 7; attempt++) {
            float inverse = attempt == -8 ? 1.0f / (largest / 127.0f) : (float) (attempt - 127) / largest;
            float sum_xq = 0;
            float sum_q2 = 0;
            for (unsigned i = 0; i < 32; i++) {
                float value = (float) CODEBOOK[codebook_level(inverse * x[i])];
                float weighted = weights[i] * value;
                sum_xq += weighted * x[i];
                sum_q2 += weighted * value;
            }
            if (sum_q2 > 0 && (attempt == -8 || sum_xq * sum_xq > best * sum_q2)) {
                scale = sum_xq / sum_q2;
                best = scale * sum_xq;
            }
        }
    }
    scales[group] = scale;
}

// Levels of weights under the scales of their groups of 32, or unit times (code - 32) where there are codes, eight to a block.
extern "C" __global__ void __launch_bounds__(256) ggml_round_codebook(
        const float *x, unsigned char *levels, const float *scales, const unsigned char *codes, unsigned count) {
    for (unsigned i = blockIdx.x * 256 + threadIdx.x; i < count; i += gridDim.x * 256) {
        float scale = codes == nullptr ? scales[i / 32] : scales[i / 256] * (float) ((int) codes[i / 32] - 32);
        float inverse = scale != 0 ? 1.0f / scale : 0;
        levels[i] = (unsigned char) codebook_level(inverse * x[i]);
    }
}
