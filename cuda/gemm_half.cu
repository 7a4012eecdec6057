// What the kernels of ptx/gemm_half.ptx compute, up to the rounding of sums: tensor cores add in another order and truncate.
// A block has a tile of 128 x 128 of C; which one is its own affair.

static const unsigned TILE = 128;

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

template <typename Half>
static __device__ void multiply(
    float *c, unsigned c_stride,
    const Half *a, unsigned a_m_stride, unsigned a_k_stride,
    const Half *b, unsigned b_k_stride, unsigned b_n_stride,
    unsigned m, unsigned n, unsigned k, float alpha, float beta)
{
    unsigned tile_columns = (n + TILE - 1) / TILE;
    unsigned first_row = blockIdx.x / tile_columns * TILE;
    unsigned first_column = blockIdx.x % tile_columns * TILE;
    for (unsigned element = threadIdx.x; element < TILE * TILE; element += blockDim.x) {
        unsigned row = first_row + element / TILE;
        unsigned column = first_column + element % TILE;
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

extern "C" __global__ void __launch_bounds__(256) gemm_f16(
    float *c, unsigned c_stride,
    const F16 *a, unsigned a_m_stride, unsigned a_k_stride,
    const F16 *b, unsigned b_k_stride, unsigned b_n_stride,
    unsigned m, unsigned n, unsigned k, float alpha, float beta,
    unsigned long long a_batch_stride, unsigned long long b_batch_stride, unsigned long long c_batch_stride)
{
    multiply(
        c + blockIdx.z * c_batch_stride, c_stride,
        a + blockIdx.z * a_batch_stride, a_m_stride, a_k_stride,
        b + blockIdx.z * b_batch_stride, b_k_stride, b_n_stride,
        m, n, k, alpha, beta);
}

extern "C" __global__ void __launch_bounds__(256) gemm_bf16(
    float *c, unsigned c_stride,
    const BF16 *a, unsigned a_m_stride, unsigned a_k_stride,
    const BF16 *b, unsigned b_k_stride, unsigned b_n_stride,
    unsigned m, unsigned n, unsigned k, float alpha, float beta,
    unsigned long long a_batch_stride, unsigned long long b_batch_stride, unsigned long long c_batch_stride)
{
    multiply(
        c + blockIdx.z * c_batch_stride, c_stride,
        a + blockIdx.z * a_batch_stride, a_m_stride, a_k_stride,
        b + blockIdx.z * b_batch_stride, b_k_stride, b_n_stride,
        m, n, k, alpha, beta);
}
