// Twin of the kernel in ptx/check.ptx.
#include "elements.cuh"

// Lowers *index to the position of the first NaN or infinity, if there is one.
extern "C" __global__ void __launch_bounds__(256) find_nonfinite(
        const void *matrix, unsigned type, unsigned long long elements, unsigned long long *index) {
    const unsigned long long threads = static_cast<unsigned long long>(gridDim.x) * 256;
    for (unsigned long long i = static_cast<unsigned long long>(blockIdx.x) * 256 + threadIdx.x; i < elements;
            i += threads) {
        const unsigned bits = __float_as_uint(load(matrix, type, i));
        if ((bits & 0x7f800000) == 0x7f800000) {
            atomicMin(index, i);
        }
    }
}
