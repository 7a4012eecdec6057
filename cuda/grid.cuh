// The grid rule of ptx/quantize.ptx, for the twins of find_grids and gptq_block.
#pragma once

#include "elements.cuh"

// Adding 1.5 * 2^23 to a float rounds it to an integer, ties to even.
#define INTEGERS 12582912.0f

struct GridRule {
    float largest;        // code
    bool symmetric;
    float smallest_zero;
    bool search;
    bool short_scales;    // that BF16 holds too
};

struct Grid {
    unsigned short scale;  // F16
    float zero;
};

// The code of a weight as a float, not yet moved by the zero point: -zero ... largest - zero.
static __device__ float level(float weight, float inverse, float zero, float largest) {
    float low = __fsub_rn(INTEGERS, zero);
    float high = __fadd_rn(low, largest);
    float rounded = __fmaf_rn(weight, inverse, INTEGERS);
    return __fsub_rn(fminf(fmaxf(rounded, low), high), INTEGERS);
}

// The scale that the file format can hold, in F16.
static __device__ unsigned short storable(float scale, bool short_scales) {
    scale = short_scales ? from_bf16(to_bf16(fminf(scale, 65280.0f))) : fminf(scale, 65504.0f);
    unsigned short rounded = to_f16(scale);
    return rounded == 0 ? 1 : rounded;
}

static __device__ Grid grid_of_range(float lo, float hi, GridRule rule) {
    Grid grid;
    grid.scale = storable(__fdiv_rn(__fsub_rn(hi, lo), rule.largest), rule.short_scales);
    if (rule.symmetric) {
        grid.zero = __fmaf_rn(rule.largest, 0.5f, 0.5f);
        return grid;
    }
    float zero = __fsub_rn(__fmaf_rn(-lo, __frcp_rn(from_f16(grid.scale)), INTEGERS), INTEGERS);
    if (zero < rule.smallest_zero) {
        grid.scale = storable(__fdiv_rn(hi, __fsub_rn(rule.largest, 1.0f)), rule.short_scales);
    }
    grid.zero = fminf(fmaxf(zero, rule.smallest_zero), rule.largest);
    return grid;
}

// The sum of a sum in eight parts.
static __device__ float sum_of_parts(const float part[8]) {
    float first = __fadd_rn(__fadd_rn(part[0], part[1]), __fadd_rn(part[2], part[3]));
    float second = __fadd_rn(__fadd_rn(part[4], part[5]), __fadd_rn(part[6], part[7]));
    return __fadd_rn(first, second);
}

// The sum of squared errors, in eight parts.
static __device__ float loss_of(const float *group, unsigned size, Grid grid, float largest) {
    float scale = from_f16(grid.scale);
    float inverse = __frcp_rn(scale);
    float part[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (unsigned position = 0; position < size; position++) {
        float error = __fmaf_rn(-scale, level(group[position], inverse, grid.zero, largest), group[position]);
        part[position / 4 % 8] = __fmaf_rn(error, error, part[position / 4 % 8]);
    }
    return sum_of_parts(part);
}

static __device__ Grid find_grid(const float *group, unsigned size, GridRule rule) {
    float lo = 0;
    float hi = 0;
    for (unsigned position = 0; position < size; position++) {
        lo = fminf(lo, group[position]);
        hi = fmaxf(hi, group[position]);
    }
    if (rule.symmetric) {
        hi = fmaxf(hi, -lo);
        lo = -hi;
    }
    if (lo == 0 && hi == 0) {
        lo = -1;
        hi = 1;
    }
    Grid best = grid_of_range(lo, hi, rule);
    if (rule.search) {
        float best_loss = loss_of(group, size, best, rule.largest);
        for (int percent = 99; percent > 20; percent--) {
            float fraction = __fdiv_rn((float) percent, 100.0f);
            Grid grid = grid_of_range(__fmul_rn(lo, fraction), __fmul_rn(hi, fraction), rule);
            float loss = loss_of(group, size, grid, rule.largest);
            if (loss < best_loss) {
                best = grid;
                best_loss = loss;
            }
        }
    }
    return best;
}
