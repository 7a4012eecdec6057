// Twins of the kernels in ptx/ggml_units.ptx.
#include "ggml.cuh"

// Spreads zero and the largest value over the codes.
static __device__ float spread_codes(const float *values, unsigned char *codes, unsigned groups, int largest) {
    float max = 0;
    for (unsigned i = 0; i < groups; i++) {
        max = values[i] > max ? values[i] : max;
    }
    float inverse = max > 0 ? (float) largest / max : 0;
    for (unsigned i = 0; i < groups; i++) {
        codes[i] = (unsigned char) min(largest, nearest(inverse * values[i]) & 0xff);
    }
    return max / (float) largest;
}

static __device__ float search_codes(
        const float *x, const float *weights, unsigned char *codes, unsigned groups, int largest) {
    float max = 0;
    for (unsigned i = 0; i < groups; i++) {
        max = max > x[i] ? max : x[i];
    }
    if (max < NEGLIGIBLE) {
        for (unsigned i = 0; i < groups; i++) {
            codes[i] = 0;
        }
        return 0;
    }
    float inverse = (float) largest / max;
    float best = 0;
    for (int attempt = -5; attempt <= 4; attempt++) {
        if (attempt == 0) {
            continue;
        }
        bool first = attempt == -5;
        float tried = first ? inverse : (0.1f * (float) attempt + (float) largest) / max;
        float scale = 1.0f / tried;
        float error = 0;
        for (unsigned i = 0; i < groups; i++) {
            int level = nearest(tried * x[i]);
            level = first ? level & 0xff : min(largest, level);
            float difference = x[i] - scale * (float) level;
            error += weights[i] * difference * difference;
        }
        if (first || error < best) {
            best = error;
            inverse = tried;
        }
    }
    float sum_xl = 0;
    float sum_l2 = 0;
    for (unsigned i = 0; i < groups; i++) {
        int level = min(largest, nearest(inverse * x[i]));
        codes[i] = (unsigned char) level;
        sum_xl += weights[i] * x[i] * (float) level;
        sum_l2 += weights[i] * (float) level * (float) level;
    }
    bool changed = true;
    for (unsigned pass = 0; pass < 5 && changed; pass++) {
        changed = false;
        for (unsigned i = 0; i < groups; i++) {
            float level = (float) codes[i];
            float other_xl = sum_xl - weights[i] * x[i] * level;
            float other_l2 = sum_l2 - weights[i] * level * level;
            if (!(other_xl > 0 && other_l2 > 0)) {
                continue;
            }
            int next = min(largest, nearest(x[i] * other_l2 / other_xl));
            if (next == (int) codes[i]) {
                continue;
            }
            other_xl += weights[i] * x[i] * (float) next;
            other_l2 += weights[i] * (float) next * (float) next;
            if (other_xl * other_xl * sum_l2 > sum_xl * sum_xl * other_l2) {
                codes[i] = (unsigned char) next;
                sum_xl = other_xl;
                sum_l2 = other_l2;
                changed = true;
            }
        }
    }
    return sum_l2 > 0 ? sum_xl / sum_l2 : 0;
}

// Codes and unit of what is not negative, one thread per block.
extern "C" __global__ void __launch_bounds__(128) ggml_positive_units(
        const float *values, const float *sums, unsigned char *codes, float *units,
        unsigned blocks, unsigned groups, unsigned largest) {
    unsigned block = blockIdx.x * 128 + threadIdx.x;
    if (block >= blocks) {
        return;
    }
    size_t first = (size_t) block * groups;
    units[block] = sums == nullptr
            ? spread_codes(values + first, codes + first, groups, (int) largest)
            : search_codes(values + first, sums + first, codes + first, groups, (int) largest);
}

// Codes as a reader will see them, one thread per block: 0 for Q2_K, 1 for Q4_K, 2 for Q5_K.
extern "C" __global__ void __launch_bounds__(128) ggml_settle_codes(
        unsigned char *scale_codes, unsigned char *min_codes, unsigned blocks, unsigned groups, unsigned rule) {
    unsigned block = blockIdx.x * 128 + threadIdx.x;
    if (block >= blocks) {
        return;
    }
    scale_codes += (size_t) block * groups;
    min_codes += (size_t) block * groups;
    for (unsigned i = 0; i < groups; i++) {
        unsigned scale = scale_codes[i];
        unsigned min = min_codes[i];
        if (rule == 0) {
            min_codes[i] = (unsigned char) ((min | scale >> 4) & 15);
            scale_codes[i] = (unsigned char) (scale & 15);
        } else if (rule == 2) {
            scale_codes[i] = (unsigned char) (scale < 63 ? scale : 63);
            min_codes[i] = (unsigned char) (min < 63 ? min : 63);
        }
    }
    if (rule == 1) {
        for (unsigned i = 0; i < groups / 2; i++) {
            unsigned last = i + groups / 2;
            scale_codes[last] = (unsigned char)
                    ((scale_codes[last] & 15) | ((scale_codes[last] >> 4 | scale_codes[i] >> 6) & 3) << 4);
            min_codes[last] = (unsigned char)
                    ((min_codes[last] & 15) | ((min_codes[last] >> 4 | min_codes[i] >> 6) & 3) << 4);
            scale_codes[i] &= 63;
            min_codes[i] &= 63;
        }
    }
}

// Codes and unit of signed scales, one thread per block: 0 for Q3_K, 1 for Q6_K, 2 for IQ4_XS. Those of Q3_K and IQ4_XS are
// raised by 32. Where Q6_K has no scale to speak of, its levels become zeros.
extern "C" __global__ void __launch_bounds__(128) ggml_signed_units(
        const float *values, unsigned char *codes, float *units, unsigned char *levels,
        unsigned blocks, unsigned groups, unsigned rule) {
    unsigned block = blockIdx.x * 128 + threadIdx.x;
    if (block >= blocks) {
        return;
    }
    values += (size_t) block * groups;
    codes += (size_t) block * groups;
    float largest = signed_largest(values, groups);
    float unit = 0;
    float inverse = 0;
    if (rule == 2) {
        unit = -largest / 32.0f;
        inverse = unit != 0 ? 1.0f / unit : 0;
    } else if (rule == 1 ? !(fabsf(largest) < NEGLIGIBLE) : largest != 0) {
        inverse = (rule == 1 ? -128.0f : -32.0f) / largest;
        unit = 1.0f / inverse;
    }
    for (unsigned i = 0; i < groups; i++) {
        int code = nearest(inverse * values[i]);
        codes[i] = (unsigned char) (rule == 1 ? min(127, code) : clamped(code, -32, 31) + 32);
    }
    if (inverse == 0 && rule == 0) {
        for (unsigned i = 0; i < groups; i++) {
            codes[i] = 0;
        }
    }
    if (inverse == 0 && rule == 1) {
        for (unsigned i = 0; i < 256; i++) {
            levels[(size_t) block * 256 + i] = 0;
        }
    }
    units[block] = unit;
}
