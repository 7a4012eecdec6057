// Twins of the kernels in ptx/awq_grid.ptx.
#include "grid.cuh"

// One thread per row and group; the other threads of the launch have nothing to do.
extern "C" __global__ void __launch_bounds__(256) round_scaled(
        void *out, unsigned out_type, unsigned mode, const float *weights, const float *column_scales,
        const unsigned char *cuts, unsigned cut, unsigned char *codes, unsigned short *scales, unsigned char *zeros,
        unsigned grid_stride, unsigned rows, unsigned groups, unsigned group_size, unsigned largest_code,
        unsigned symmetric, unsigned bf16_scales) {
    unsigned row = blockIdx.x * 32 + threadIdx.x;
    if (threadIdx.x >= 32 || row >= rows) {
        return;
    }
    GridRule rule = {(float) largest_code, symmetric != 0, 0, false, bf16_scales != 0};
    for (unsigned group = blockIdx.y; group < groups; group += gridDim.y) {
        unsigned long long first = at(row, groups * group_size, group * group_size);
        const float *factors = column_scales ? column_scales + group * group_size : nullptr;
        float lo = 0;
        float hi = 0;
        for (unsigned i = 0; i < group_size; i++) {
            float v = factors ? __fmul_rn(weights[first + i], factors[i]) : weights[first + i];
            lo = fminf(lo, v);
            hi = fmaxf(hi, v);
        }
        unsigned steps = 20 - (cuts ? (unsigned) cuts[at(row, groups, group)] : cut);
        float limit = __fmul_rn(fmaxf(hi, -lo), __fdiv_rn((float) steps, 20.0f));
        hi = symmetric ? limit : fminf(hi, limit);
        lo = symmetric ? -limit : fmaxf(lo, -limit);
        if (lo == 0 && hi == 0) {
            lo = -1;
            hi = 1;
        }
        Grid grid = grid_of_range(lo, hi, rule);
        float scale = from_f16(grid.scale);
        float inverse = __frcp_rn(scale);
        if (codes) {
            scales[at(group, grid_stride, row)] = grid.scale;
            zeros[at(group, grid_stride, row)] = (unsigned char) grid.zero;
        }
        for (unsigned i = 0; i < group_size; i++) {
            float weight = weights[first + i];
            float v = factors ? __fmul_rn(weight, factors[i]) : weight;
            float steps_from_zero = level(v, inverse, grid.zero, rule.largest);
            if (codes) {
                codes[first + i] = (unsigned char) (steps_from_zero + grid.zero);
            }
            float value = __fmul_rn(steps_from_zero, scale);
            value = factors ? __fdiv_rn(value, factors[i]) : value;
            store(out, out_type, first + i, mode ? __fsub_rn(weight, value) : value);
        }
    }
}

// The first candidate, and any with a smaller loss than the least before, becomes the group's cut.
extern "C" __global__ void __launch_bounds__(256) choose_cuts(
        float *losses, unsigned char *cuts, unsigned candidate, const float *errors, const float *products,
        unsigned rows, unsigned groups, unsigned group_size) {
    unsigned row = blockIdx.x * 32 + threadIdx.x;
    if (threadIdx.x >= 32 || row >= rows) {
        return;
    }
    for (unsigned group = blockIdx.y; group < groups; group += gridDim.y) {
        unsigned long long first = at(row, groups * group_size, group * group_size);
        float part[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        for (unsigned i = 0; i < group_size; i++) {
            part[i / 4 % 8] = __fmaf_rn(errors[first + i], products[first + i], part[i / 4 % 8]);
        }
        float loss = sum_of_parts(part);
        unsigned long long index = at(row, groups, group);
        if (candidate == 0 || loss < losses[index]) {
            losses[index] = loss;
            cuts[index] = (unsigned char) candidate;
        }
    }
}
