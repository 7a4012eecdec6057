// Twin of the kernel in ptx/gptq.ptx.
#include "grid.cuh"

// One thread per row; the other threads of the launch have nothing to do.
extern "C" __global__ void __launch_bounds__(256) gptq_block(
        float *weights, unsigned weights_stride, const float *state, const float *inverse,
        unsigned char *codes, unsigned codes_stride, unsigned short *scales, unsigned char *zeros, unsigned grid_stride,
        const unsigned *groups, float *loss, unsigned rows, unsigned width, unsigned group_size,
        unsigned largest_code, unsigned symmetric, unsigned smallest_zero, unsigned mse, unsigned bf16_scales) {
    unsigned row = blockIdx.x * 32 + threadIdx.x;
    if (threadIdx.x >= 32 || row >= rows) {
        return;
    }
    GridRule rule = {(float) largest_code, symmetric != 0, (float) smallest_zero, mse != 0, bf16_scales != 0};
    float current[128];
    for (unsigned column = 0; column < width; column++) {
        current[column] = state[(size_t) row * width + column];
    }
    float part[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (unsigned column = 0; column < width; column++) {
        size_t grid = (size_t) __ldg(groups + column) * grid_stride + row;
        if (group_size > 0 && column % group_size == 0) {
            Grid found = find_grid(current + column, min(group_size, width - column), rule);
            scales[grid] = found.scale;
            zeros[grid] = (unsigned char) found.zero;
        }
        float scale = from_f16(scales[grid]);
        float rounded = level(current[column], __frcp_rn(scale), zeros[grid], rule.largest);
        float error = __fmaf_rn(-scale, rounded, current[column]);
        error = __fmul_rn(error, __frcp_rn(inverse[(size_t) column * width + column]));
        for (unsigned later = column + 1; later < width; later++) {
            current[later] = __fmaf_rn(-error, inverse[(size_t) column * width + later], current[later]);
        }
        part[column % 8] = __fmaf_rn(error, error, part[column % 8]);
        float *weight = weights + (size_t) row * weights_stride + column;
        *weight = __fmaf_rn(-scale, rounded, *weight);
        codes[(size_t) row * codes_stride + column] = (unsigned char) (rounded + zeros[grid]);
    }
    loss[row] = __fadd_rn(loss[row], sum_of_parts(part));
}
