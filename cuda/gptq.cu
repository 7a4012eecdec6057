// Twins of the kernels in ptx/gptq.ptx.
#include "grid.cuh"

// Where codes go: bytes of a matrix where bits is zero, else words of the matrices of the linears that the rows are of.
struct Codes {
    void *codes;
    unsigned stride;
    const unsigned *targets;
    const unsigned *pieces;
    const unsigned *linears;
    unsigned bits;
};

// Packs a row, word by word.
static __device__ void pack_row(Codes to, const unsigned char *code, unsigned row, unsigned width) {
    unsigned linear = 0;
    while (row >= __ldg(to.linears + linear + 1)) {
        linear++;
    }
    unsigned first = __ldg(to.linears + linear);
    unsigned outputs = __ldg(to.linears + linear + 1) - first;
    unsigned *words = (unsigned *) to.codes + (size_t) first * to.stride + (row - first);
    for (unsigned word = 0; word < width * to.bits / 32; word++) {
        unsigned long long result = 0;
        for (unsigned column = 0; column < width; column++) {
            int shift = (int) __ldg(to.targets + column) - (int) (word * 32);
            if (shift > -32 && shift < 32) {
                result |= shift >= 0 ? (unsigned long long) code[column] << shift : code[column] >> -shift;
            }
        }
        unsigned at = __ldg(to.pieces + word / to.bits) * to.bits + word % to.bits;
        words[(size_t) at * outputs] = (unsigned) result;
    }
}

// One row by one thread, column after column.
static __device__ void quantize_row(
        float *weights, unsigned weights_stride, const float *state, const float *inverse,
        Codes to, unsigned short *scales, unsigned char *zeros, unsigned grid_stride,
        const unsigned *groups, float *loss, unsigned row, unsigned width, unsigned group_size, GridRule rule) {
    float current[128];
    unsigned char code[128];
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
        code[column] = (unsigned char) (rounded + zeros[grid]);
        if (to.bits == 0) {
            ((unsigned char *) to.codes)[(size_t) row * to.stride + column] = code[column];
        }
    }
    if (to.bits > 0) {
        pack_row(to, code, row, width);
    }
    loss[row] = __fadd_rn(loss[row], sum_of_parts(part));
}

// A block has 32 rows; the other threads of the launch have nothing to do.
extern "C" __global__ void __launch_bounds__(256) gptq_block(
        float *weights, unsigned weights_stride, const float *state, const float *inverse,
        void *codes, unsigned codes_stride, const unsigned *targets, const unsigned *pieces, const unsigned *linears,
        unsigned code_bits, unsigned short *scales, unsigned char *zeros, unsigned grid_stride,
        const unsigned *groups, float *loss, unsigned rows, unsigned width, unsigned group_size,
        unsigned largest_code, unsigned symmetric, unsigned smallest_zero, unsigned mse, unsigned bf16_scales) {
    unsigned row = blockIdx.x * 32 + threadIdx.x;
    if (threadIdx.x >= 32 || row >= rows) {
        return;
    }
    GridRule rule = {(float) largest_code, symmetric != 0, (float) smallest_zero, mse != 0, bf16_scales != 0};
    Codes to = {codes, codes_stride, targets, pieces, linears, code_bits};
    quantize_row(
            weights, weights_stride, state, inverse, to, scales, zeros, grid_stride, groups, loss, row, width, group_size,
            rule);
}

extern "C" __global__ void __launch_bounds__(128) gptq_block_rows(
        float *weights, unsigned weights_stride, const float *state, const float *inverse,
        void *codes, unsigned codes_stride, const unsigned *targets, const unsigned *pieces, const unsigned *linears,
        unsigned code_bits, unsigned short *scales, unsigned char *zeros, unsigned grid_stride,
        const unsigned *groups, float *loss, unsigned rows, unsigned width, unsigned group_size,
        unsigned largest_code, unsigned symmetric, unsigned smallest_zero) {
    unsigned row = blockIdx.x * 128 + threadIdx.x;
    if (row >= rows) {
        return;
    }
    GridRule rule = {(float) largest_code, symmetric != 0, (float) smallest_zero, false, false};
    Codes to = {codes, codes_stride, targets, pieces, linears, code_bits};
    quantize_row(
            weights, weights_stride, state, inverse, to, scales, zeros, grid_stride, groups, loss, row, width, group_size,
            rule);
}
