// Twins of the kernels in ptx/ggml_fit.ptx. A thread works on a group, reading it from memory as often as it needs it.
#include "ggml.cuh"

extern "C" __global__ void __launch_bounds__(256) ggml_spreads(
        const float *x, float *spreads, unsigned count, unsigned length, float divisor) {
    unsigned span = blockIdx.x * 256 + threadIdx.x;
    if (span >= count) {
        return;
    }
    float sum = 0;
    for (unsigned i = 0; i < length; i++) {
        float value = x[(size_t) span * length + i];
        sum += value * value;
    }
    spreads[span] = sum / divisor;
}

extern "C" __global__ void __launch_bounds__(256) ggml_error_weights(
        const float *x, const float *spreads, const float *importance, float *weights,
        unsigned count, unsigned columns, unsigned length, unsigned squared) {
    for (unsigned i = blockIdx.x * 256 + threadIdx.x; i < count; i += gridDim.x * 256) {
        float spread = spreads == nullptr ? 0.0f : spreads[i / length];
        float square = x[i] * x[i];
        float weight;
        if (importance == nullptr) {
            weight = squared ? square : sqrtf(spread) + fabsf(x[i]);
        } else {
            weight = squared ? importance[i % columns] * sqrtf(spread + square) : importance[i % columns];
        }
        weights[i] = weight;
    }
}

struct Sums {
    float xl;
    float l2;
};

static __device__ Sums symmetric_sums(const float *x, const float *w, unsigned size, int half, float inverse) {
    Sums sums = {0, 0};
    for (unsigned i = 0; i < size; i++) {
        float level = (float) clamped(nearest(inverse * x[i]), -half, half - 1);
        sums.xl += w[i] * x[i] * level;
        sums.l2 += w[i] * level * level;
    }
    return sums;
}

extern "C" __global__ void __launch_bounds__(128) ggml_fit_symmetric(
        const float *x, const float *weights, unsigned char *levels, float *scales, float *sums,
        unsigned groups, unsigned size, unsigned half) {
    unsigned group = blockIdx.x * 128 + threadIdx.x;
    if (group >= groups) {
        return;
    }
    x += (size_t) group * size;
    weights += (size_t) group * size;
    levels += (size_t) group * size;
    if (sums != nullptr) {
        float sum = 0;
        for (unsigned i = 0; i < size; i++) {
            sum += weights[i];
        }
        sums[group] = sum;
    }
    float largest = signed_largest(x, size);
    if (fabsf(largest) < NEGLIGIBLE) {
        for (unsigned i = 0; i < size; i++) {
            levels[i] = 0;
        }
        scales[group] = 0;
        return;
    }
    int limit = (int) half;
    float inverse = -(float) limit / largest;
    Sums found = symmetric_sums(x, weights, size, limit, inverse);
    float scale = found.l2 != 0 ? found.xl / found.l2 : 0;
    float best = scale * found.xl;
    float best_inverse = inverse;
    for (int step = -9; step <= 9; step++) {
        if (step == 0) {
            continue;
        }
        inverse = -((float) limit + 0.1f * (float) step) / largest;
        found = symmetric_sums(x, weights, size, limit, inverse);
        if (found.l2 > 0 && found.xl * found.xl > best * found.l2) {
            scale = found.xl / found.l2;
            best = scale * found.xl;
            best_inverse = inverse;
        }
    }
    for (unsigned i = 0; i < size; i++) {
        levels[i] = (unsigned char) (limit + clamped(nearest(best_inverse * x[i]), -limit, limit - 1));
    }
    scales[group] = scale;
}

static __device__ float affine_error(
        const float *x, const float *w, unsigned size, int largest, float inverse, float base, bool absolute,
        float scale, float min) {
    float error = 0;
    for (unsigned i = 0; i < size; i++) {
        float level = (float) clamped(nearest(inverse * (x[i] - base)), 0, largest);
        float difference = scale * level + min - x[i];
        error += w[i] * (absolute ? fabsf(difference) : difference * difference);
    }
    return error;
}

// Levels are of the minimum before a fit is accepted: `base`.
extern "C" __global__ void __launch_bounds__(128) ggml_fit_affine(
        const float *x, const float *weights, unsigned char *levels, float *scales, float *mins, float *sums,
        unsigned groups, unsigned size, unsigned largest_level, float first, float step, unsigned attempts,
        unsigned absolute) {
    unsigned group = blockIdx.x * 128 + threadIdx.x;
    if (group >= groups) {
        return;
    }
    x += (size_t) group * size;
    weights += (size_t) group * size;
    levels += (size_t) group * size;
    int largest = (int) largest_level;
    float min = x[0];
    float max = x[0];
    float sum_w = weights[0];
    float sum_x = weights[0] * x[0];
    for (unsigned i = 1; i < size; i++) {
        min = x[i] < min ? x[i] : min;
        max = x[i] > max ? x[i] : max;
        sum_w += weights[i];
        sum_x += weights[i] * x[i];
    }
    min = min > 0 ? 0 : min;
    float scale = 0;
    float best_inverse = 0;
    float best_base = min;
    if (max > min) {
        float inverse = (float) largest / (max - min);
        scale = 1.0f / inverse;
        best_inverse = finite(inverse);
        float best = affine_error(x, weights, size, largest, best_inverse, min, absolute, scale, min);
        for (unsigned attempt = 0; attempt < attempts; attempt++) {
            inverse = finite((first + step * (float) attempt + (float) largest) / (max - min));
            float sum_l = 0;
            float sum_l2 = 0;
            float sum_xl = 0;
            for (unsigned i = 0; i < size; i++) {
                float level = (float) clamped(nearest(inverse * (x[i] - min)), 0, largest);
                float weighted = weights[i] * level;
                sum_l += weighted;
                sum_l2 += weighted * level;
                sum_xl += weighted * x[i];
            }
            float determinant = sum_w * sum_l2 - sum_l * sum_l;
            if (determinant > 0) {
                float new_scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
                float new_min = (sum_l2 * sum_x - sum_l * sum_xl) / determinant;
                if (new_min > 0) {
                    new_min = 0;
                    new_scale = sum_xl / sum_l2;
                }
                float error = affine_error(x, weights, size, largest, inverse, min, absolute, new_scale, new_min);
                if (error < best) {
                    best = error;
                    scale = new_scale;
                    best_inverse = inverse;
                    best_base = min;
                    min = new_min;
                }
            }
        }
    }
    for (unsigned i = 0; i < size; i++) {
        levels[i] = (unsigned char) clamped(nearest(best_inverse * (x[i] - best_base)), 0, largest);
    }
    scales[group] = scale;
    mins[group] = -min;
    sums[group] = sum_w;
}

// Coordinate descent in groups of 16, levels -4 ... 3.
extern "C" __global__ void __launch_bounds__(128) ggml_fit_descent(
        const float *x, unsigned char *levels, float *scales, unsigned groups) {
    unsigned group = blockIdx.x * 128 + threadIdx.x;
    if (group >= groups) {
        return;
    }
    x += (size_t) group * 16;
    levels += (size_t) group * 16;
    int level[16];
    float largest = signed_largest(x, 16);
    if (fabsf(largest) < NEGLIGIBLE) {
        for (unsigned i = 0; i < 16; i++) {
            levels[i] = 0;
        }
        scales[group] = 0;
        return;
    }
    float inverse = -4.0f / largest;
    float sum_xl = 0;
    float sum_l2 = 0;
    for (unsigned i = 0; i < 16; i++) {
        float weight = x[i] * x[i];
        level[i] = clamped(nearest(inverse * x[i]), -4, 3);
        sum_xl += weight * x[i] * (float) level[i];
        sum_l2 += weight * (float) level[i] * (float) level[i];
    }
    bool changed = true;
    for (unsigned pass = 0; pass < 5 && changed; pass++) {
        changed = false;
        for (unsigned i = 0; i < 16; i++) {
            float weight = x[i] * x[i];
            float other_xl = sum_xl - weight * x[i] * (float) level[i];
            float other_l2 = sum_l2 - weight * (float) level[i] * (float) level[i];
            if (!(other_xl > 0)) {
                continue;
            }
            int next = clamped(nearest(x[i] * other_l2 / other_xl), -4, 3);
            if (next == level[i]) {
                continue;
            }
            other_xl += weight * x[i] * (float) next;
            other_l2 += weight * (float) next * (float) next;
            if (other_l2 > 0 && other_xl * other_xl * sum_l2 > sum_xl * sum_xl * other_l2) {
                level[i] = next;
                sum_xl = other_xl;
                sum_l2 = other_l2;
                changed = true;
            }
        }
    }
    for (unsigned i = 0; i < 16; i++) {
        levels[i] = (unsigned char) (level[i] + 4);
    }
    scales[group] = sum_l2 > 0 ? sum_xl / sum_l2 : 0;
}
