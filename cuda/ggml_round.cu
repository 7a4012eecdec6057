// Twins of the kernels in ptx/ggml_round.ptx.
#include "ggml.cuh"

// Half away from zero.
static __device__ int away_from_zero(float value) {
    int whole = (int) value;
    float rest = value - (float) whole;
    return rest >= 0.5f ? whole + 1 : rest <= -0.5f ? whole - 1 : whole;
}

// Scales and levels of groups of 32 without a search: 0 for Q8_0, 1 for Q4_0 and Q5_0, 2 for Q4_1 and Q5_1.
extern "C" __global__ void __launch_bounds__(128) ggml_round_groups(
        const float *x, unsigned char *levels, float *scales, float *mins, unsigned groups, unsigned largest_level,
        unsigned rule) {
    unsigned group = blockIdx.x * 128 + threadIdx.x;
    if (group >= groups) {
        return;
    }
    x += (size_t) group * 32;
    levels += (size_t) group * 32;
    float steps = (float) largest_level;
    float base = 0;
    float scale;
    float shift = 0.5f;
    if (rule == 2) {
        float min = 3.402823466e+38f;
        float max = -3.402823466e+38f;
        for (unsigned i = 0; i < 32; i++) {
            min = x[i] < min ? x[i] : min;
            max = x[i] > max ? x[i] : max;
        }
        base = min;
        scale = (max - min) / steps;
        mins[group] = -min;
    } else if (rule == 1) {
        float half = (steps + 1.0f) * 0.5f;
        scale = signed_largest(x, 32) / -half;
        shift = half + 0.5f;
    } else {
        scale = fabsf(signed_largest(x, 32)) / steps;
    }
    scales[group] = scale;
    float inverse = scale != 0 ? 1.0f / scale : 0;
    bool infinite = finite(inverse) != inverse;
    for (unsigned i = 0; i < 32; i++) {
        float scaled = (x[i] - base) * inverse;
        int level = rule == 0 ? away_from_zero(scaled) : min((int) largest_level, (int) (scaled + shift));
        levels[i] = infinite ? 0 : (unsigned char) level;
    }
}

// Levels for the scales that a reader will see; levels of groups without a scale stay.
extern "C" __global__ void __launch_bounds__(256) ggml_round_again(
        const float *x, unsigned char *levels, const float *units, const float *min_units,
        const unsigned char *scale_codes, const unsigned char *min_codes, unsigned count, unsigned group_size,
        unsigned code_zero, unsigned least, unsigned most) {
    for (unsigned i = blockIdx.x * 256 + threadIdx.x; i < count; i += gridDim.x * 256) {
        unsigned group = i / group_size;
        float scale = through_half(units[i / 256])
                * (float) ((int) (signed char) scale_codes[group] - (int) code_zero);
        if (scale == 0) {
            continue;
        }
        float value = x[i];
        if (min_codes != nullptr) {
            value += through_half(min_units[i / 256]) * (float) min_codes[group];
        }
        levels[i] = (unsigned char) (clamped(nearest(value / scale), (int) least, (int) most) - (int) least);
    }
}

// Every byte of a block is put together from at most eight pieces, of which the layout says for each source, bits to drop,
// bits to keep, and bits to move up.
extern "C" __global__ void __launch_bounds__(256) ggml_pack(
        const unsigned *layout, const unsigned char *levels, const unsigned char *scale_codes,
        const unsigned char *min_codes, const float *units, const float *min_units, unsigned char *packed,
        unsigned count, unsigned block_bytes, unsigned block_size, unsigned groups) {
    for (unsigned at = blockIdx.x * 256 + threadIdx.x; at < count; at += gridDim.x * 256) {
        unsigned block = at / block_bytes;
        const unsigned *pieces = layout + (at - block * block_bytes) * 8;
        unsigned byte = 0;
        for (unsigned k = 0; k < 8 && pieces[k] != 0; k++) {
            unsigned piece = pieces[k];
            unsigned source = piece & 511;
            unsigned value;
            if (source < 256) {
                value = levels[(size_t) block * block_size + source];
            } else if (source < 272) {
                value = scale_codes[(size_t) block * groups + source - 256];
            } else if (source < 288) {
                value = min_codes[(size_t) block * groups + source - 272];
            } else {
                float unit = source < 290 ? units[block] : source < 292 ? min_units[block] : -min_units[block];
                value = to_f16(unit) >> (8 * (source & 1));
            }
            byte |= (value >> (piece >> 9 & 7) & (piece >> 12 & 255)) << (piece >> 20 & 7);
        }
        packed[at] = (unsigned char) byte;
    }
}
