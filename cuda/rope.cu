// Twin of the kernel in ptx/rope.ptx.
#include "elements.cuh"

// Rotates pairs (i, i + half_dim) of each head, i < half_dim, by the angle of position t % positions.
extern "C" __global__ void __launch_bounds__(256) rope(
        void *out, unsigned out_type, const float *in, unsigned in_stride, const float *cos, const float *sin,
        unsigned rows, unsigned heads, unsigned head_dim, unsigned half_dim, unsigned positions) {
    for (unsigned row = blockIdx.x; row < rows; row += gridDim.x) {
        for (unsigned head = blockIdx.y; head < heads; head += gridDim.y) {
            for (unsigned i = threadIdx.x; i < half_dim; i += 256) {
                const float c = cos[at(row % positions, half_dim, i)];
                const float s = sin[at(row % positions, half_dim, i)];
                const float a = in[at(row, in_stride, head * head_dim + i)];
                const float b = in[at(row, in_stride, head * head_dim + i + half_dim)];
                const unsigned long long first = at(row, heads * head_dim, head * head_dim + i);
                store(out, out_type, first, fmaf(a, c, -__fmul_rn(b, s)));
                store(out, out_type, first + half_dim, fmaf(b, c, __fmul_rn(a, s)));
            }
        }
    }
}
