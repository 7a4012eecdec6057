// Twin of the kernel in ptx/reduce.ptx.
#include "elements.cuh"

// partials[block] = the block's share of the sum of a[r, c] * b[r, c], in float64.
extern "C" __global__ void __launch_bounds__(256) dot_partials(
        double *partials, const float *a, unsigned a_stride, const float *b, unsigned b_stride,
        unsigned rows, unsigned columns) {
    __shared__ double sums[256];
    double sum = 0;
    for (unsigned row = blockIdx.x; row < rows; row += gridDim.x) {
        for (unsigned column = threadIdx.x; column < columns; column += 256) {
            const double x = a[at(row, a_stride, column)];
            const double y = b[at(row, b_stride, column)];
            sum = fma(x, y, sum);
        }
    }
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (unsigned i = 1; i < 256; i++) {
            sum += sums[i];
        }
        partials[blockIdx.x] = sum;
    }
}

// partials[block] = the block's share of the sum of (a[i] - b[i])^2, in float64.
extern "C" __global__ void __launch_bounds__(256) squared_difference_partials(
        double *partials, const float *a, const float *b, unsigned long long vectors) {
    __shared__ double sums[256];
    double sum = 0;
    for (unsigned long long i = blockIdx.x * 256ull + threadIdx.x; i < 4 * vectors; i += gridDim.x * 256ull) {
        const double difference = __fsub_rn(a[i], b[i]);
        sum = fma(difference, difference, sum);
    }
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (unsigned i = 1; i < 256; i++) {
            sum += sums[i];
        }
        partials[blockIdx.x] = sum;
    }
}
