// What the kernels of ptx/gemm_half*.ptx compute, up to the rounding of sums: tensor cores add in another order and truncate.
// A block has a tile of ROWS x COLUMNS of C; which one is its own affair.
#pragma once

struct F16 {
    unsigned short bits;
    __device__ float value() const
    {
        float wide;
        asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(bits));
        return wide;
    }
};

struct BF16 {
    unsigned short bits;
    __device__ float value() const { return __uint_as_float((unsigned) bits << 16); }
};

template <typename Half, unsigned ROWS, unsigned COLUMNS>
static __device__ void multiply(
    float *c, unsigned c_stride,
    const Half *a, unsigned a_m_stride, unsigned a_k_stride,
    const Half *b, unsigned b_k_stride, unsigned b_n_stride,
    unsigned m, unsigned n, unsigned k, float alpha, float beta)
{
    unsigned tile_columns = (n + COLUMNS - 1) / COLUMNS;
    unsigned first_row = blockIdx.x / tile_columns * ROWS;
    unsigned first_column = blockIdx.x % tile_columns * COLUMNS;
    for (unsigned element = threadIdx.x; element < ROWS * COLUMNS; element += blockDim.x) {
        unsigned row = first_row + element / COLUMNS;
        unsigned column = first_column + element % COLUMNS;
        if (row >= m || column >= n) {
            continue;
        }
        const Half *x = a + (unsigned long long) row * a_m_stride;
        const Half *y = b + (unsigned long long) column * b_n_stride;
        float sum = 0;
        for (unsigned i = 0; i < k; i++) {
            sum = fmaf(x[(unsigned long long) i * a_k_stride].value(), y[(unsigned long long) i * b_k_stride].value(), sum);
        }
        float *out = c + (unsigned long long) row * c_stride + column;
        *out = fmaf(beta, beta == 0 ? 0 : *out, __fmul_rn(alpha, sum));
    }
}
