// Twins of the kernels in ptx/ranges.ptx.
#include "elements.cuh"

// maxima[i, j] = the largest |matrix[r, c] - offset| over the rows and columns of tile (i, j).
extern "C" __global__ void __launch_bounds__(256) tile_absmax(
        float *maxima, const void *matrix, unsigned type, unsigned stride, unsigned rows, unsigned columns,
        unsigned tile_rows, unsigned tile_columns, float offset) {
    const unsigned across = (columns - 1) / tile_columns + 1;
    const unsigned down = (rows - 1) / tile_rows + 1;
    const unsigned long long tiles = static_cast<unsigned long long>(across) * down;
    for (unsigned long long tile = blockIdx.x * 256ull + threadIdx.x; tile < tiles; tile += gridDim.x * 256ull) {
        const unsigned first_row = static_cast<unsigned>(tile / across) * tile_rows;
        const unsigned first_column = static_cast<unsigned>(tile % across) * tile_columns;
        float most = 0;
        for (unsigned row = first_row; row < first_row + tile_rows && row < rows; row++) {
            for (unsigned column = first_column; column < first_column + tile_columns && column < columns; column++) {
                most = fmaxf(most, fabsf(__fsub_rn(load(matrix, type, at(row, stride, column)), offset)));
            }
        }
        maxima[tile] = most;
    }
}

// maxima[c] = the larger of itself and the largest |matrix[r, c]|.
extern "C" __global__ void __launch_bounds__(256) column_absmax(
        float *maxima, const void *matrix, unsigned type, unsigned stride, unsigned rows, unsigned columns) {
    const unsigned column = blockIdx.x * 256 + threadIdx.x;
    if (column >= columns || blockIdx.y > 0) {
        return;
    }
    unsigned most = __float_as_uint(maxima[column]);
    for (unsigned row = 0; row < rows; row++) {
        most = max(most, __float_as_uint(fabsf(load(matrix, type, at(row, stride, column)))));
    }
    maxima[column] = __uint_as_float(most);
}

static __device__ float rounded(float value, unsigned type) {
    switch (type) {
        case F16:
            return from_f16(to_f16(value));
        case BF16:
            return from_bf16(to_bf16(value));
        default:
            return value;
    }
}

// What the elements of a tile are divided by or multiplied with, from its largest magnitude.
extern "C" __global__ void __launch_bounds__(256) tile_scales(
        float *scales, const float *maxima, unsigned long long count, float constant, unsigned rule,
        unsigned rounding) {
    for (unsigned long long i = blockIdx.x * 256ull + threadIdx.x; i < count; i += gridDim.x * 256ull) {
        const float maximum = maxima[i];
        if (rule == 2) {
            const float inverse = __fmul_rn(__fdiv_rn(1.0f, fmaxf(maximum, 1e-38f)), constant);
            scales[i] = maximum == 0 ? 1.0f : fminf(inverse, 3.40282347e38f);
        } else {
            const float scale = rounded(__fdiv_rn(maximum, constant), rounding);
            const float epsilon = rounding == F32 ? 1.1920929e-7f : rounding == F16 ? 0.0009765625f : 0.0078125f;
            scales[i] = rule == 1 && scale == 0 ? epsilon : scale;
        }
    }
}
