// What the kernels of ptx/gemm.ptx compute. A block has a tile of 128 x 128 of C; which one is its own affair.

static const unsigned TILE = 128;

extern "C" __global__ void __launch_bounds__(256) gemm_f32(
    float *c, unsigned c_stride,
    const float *a, unsigned a_m_stride, unsigned a_k_stride,
    const float *b, unsigned b_k_stride, unsigned b_n_stride,
    unsigned m, unsigned n, unsigned k, float alpha, float beta,
    unsigned long long a_batch_stride, unsigned long long b_batch_stride, unsigned long long c_batch_stride)
{
    a += blockIdx.z * a_batch_stride;
    b += blockIdx.z * b_batch_stride;
    c += blockIdx.z * c_batch_stride;
    unsigned tile_columns = (n + TILE - 1) / TILE;
    unsigned first_row = blockIdx.x / tile_columns * TILE;
    unsigned first_column = blockIdx.x % tile_columns * TILE;
    for (unsigned element = threadIdx.x; element < TILE * TILE; element += blockDim.x) {
        unsigned row = first_row + element / TILE;
        unsigned column = first_column + element % TILE;
        if (row >= m || column >= n) {
            continue;
        }
        const float *x = a + (unsigned long long) row * a_m_stride;
        const float *y = b + (unsigned long long) column * b_n_stride;
        float sum = 0;
        for (unsigned i = 0; i < k; i++) {
            sum = fmaf(x[(unsigned long long) i * a_k_stride], y[(unsigned long long) i * b_k_stride], sum);
        }
        float *out = c + (unsigned long long) row * c_stride + column;
        *out = fmaf(beta, beta == 0 ? 0 : *out, __fmul_rn(alpha, sum));
    }
}
