// Twins of the kernels in ptx/gemm_half.ptx.
#include "gemm_half.cuh"

extern "C" __global__ void __launch_bounds__(256) gemm_f16(
    float *c, unsigned c_stride,
    const F16 *a, unsigned a_m_stride, unsigned a_k_stride,
    const F16 *b, unsigned b_k_stride, unsigned b_n_stride,
    unsigned m, unsigned n, unsigned k, float alpha, float beta,
    unsigned long long a_batch_stride, unsigned long long b_batch_stride, unsigned long long c_batch_stride)
{
    multiply<F16, 128, 128>(
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
    multiply<BF16, 128, 128>(
        c + blockIdx.z * c_batch_stride, c_stride,
        a + blockIdx.z * a_batch_stride, a_m_stride, a_k_stride,
        b + blockIdx.z * b_batch_stride, b_k_stride, b_n_stride,
        m, n, k, alpha, beta);
}
