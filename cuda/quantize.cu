// Twins of the kernels in ptx/quantize.ptx.
#include "grid.cuh"

// One thread per row and group; the other threads of the launch have nothing to do.
extern "C" __global__ void __launch_bounds__(256) find_grids(
        const float *weights, unsigned weights_stride, unsigned short *scales, unsigned char *zeros, unsigned grid_stride,
        unsigned rows, unsigned groups, unsigned group_size,
        unsigned largest_code, unsigned symmetric, unsigned smallest_zero, unsigned mse, unsigned bf16_scales) {
    unsigned row = blockIdx.x * 32 + threadIdx.x;
    if (threadIdx.x >= 32 || row >= rows) {
        return;
    }
    GridRule rule = {(float) largest_code, symmetric != 0, (float) smallest_zero, mse != 0, bf16_scales != 0};
    for (unsigned group = blockIdx.y; group < groups; group += gridDim.y) {
        const float *first = weights + (size_t) row * weights_stride + (size_t) group * group_size;
        Grid grid = find_grid(first, group_size, rule);
        scales[(size_t) group * grid_stride + row] = grid.scale;
        zeros[(size_t) group * grid_stride + row] = (unsigned char) grid.zero;
    }
}

// code = clamp(rint(w / scale) + zero), w = w - scale * (code - zero)
extern "C" __global__ void __launch_bounds__(256) round_to_grid(
        float *weights, unsigned weights_stride, unsigned char *codes, unsigned codes_stride,
        const unsigned short *scales, const unsigned char *zeros, unsigned grid_stride, const unsigned *column_groups,
        unsigned rows, unsigned columns, unsigned largest_code) {
    unsigned column = blockIdx.x * 256 + threadIdx.x;
    if (column >= columns) {
        return;
    }
    for (unsigned row = blockIdx.y; row < rows; row += gridDim.y) {
        size_t grid = (size_t) column_groups[column] * grid_stride + row;
        size_t weight = (size_t) row * weights_stride + column;
        float scale = from_f16(scales[grid]);
        float rounded = level(weights[weight], __frcp_rn(scale), zeros[grid], (float) largest_code);
        weights[weight] = __fmaf_rn(-scale, rounded, weights[weight]);
        codes[(size_t) row * codes_stride + column] = (unsigned char) (rounded + zeros[grid]);
    }
}
