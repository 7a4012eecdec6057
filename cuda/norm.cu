// Twin of the kernel in ptx/norm.ptx.
#include "elements.cuh"

// out[r, c] = in[r, c] / sqrt(mean(in[r]^2) + epsilon) * weight[c], a warp per row.
extern "C" __global__ void __launch_bounds__(256) rms_norm(
        void *out, unsigned out_type, const float *in, const void *weight, unsigned weight_type,
        unsigned rows, unsigned columns, float epsilon) {
    const unsigned lane = threadIdx.x % 32;
    for (unsigned row = blockIdx.x * 8 + threadIdx.x / 32; row < rows; row += gridDim.x * 8) {
        float sum = 0;
        for (unsigned column = lane; column < columns; column += 32) {
            const float x = in[at(row, columns, column)];
            sum = fmaf(x, x, sum);
        }
        for (unsigned distance = 16; distance > 0; distance /= 2) {
            sum += __shfl_xor_sync(0xffffffff, sum, distance);
        }
        const float inverse = 1 / sqrtf(sum / columns + epsilon);
        for (unsigned column = lane; column < columns; column += 32) {
            const unsigned long long i = at(row, columns, column);
            store(out, out_type, i, in[i] * inverse * load(weight, weight_type, column));
        }
    }
}
