// Twin of the kernel in ptx/scale.ptx.
#include "elements.cuh"

// out[r, c] = in[r, c] times or over column_factors[c], and that times or over row_factors[r].
extern "C" __global__ void __launch_bounds__(256) scale_matrix(
        float *out, unsigned out_stride, const void *in, unsigned in_type, unsigned in_stride,
        const float *column_factors, unsigned over_columns, const float *row_factors, unsigned over_rows,
        unsigned rows, unsigned columns) {
    unsigned column = blockIdx.x * 256 + threadIdx.x;
    if (column >= columns) {
        return;
    }
    for (unsigned row = blockIdx.y; row < rows; row += gridDim.y) {
        float x = load(in, in_type, at(row, in_stride, column));
        if (column_factors) {
            x = over_columns ? __fdiv_rn(x, column_factors[column]) : __fmul_rn(x, column_factors[column]);
        }
        if (row_factors) {
            x = over_rows ? __fdiv_rn(x, row_factors[row]) : __fmul_rn(x, row_factors[row]);
        }
        out[at(row, out_stride, column)] = x;
    }
}
