// Twins of the kernels in ptx/convert.ptx.
#include "elements.cuh"

// to[r, c] = from[r, c], rounded to nearest even to the type of `to`.
extern "C" __global__ void __launch_bounds__(256) convert(
        void *to, unsigned to_type, unsigned to_stride,
        const void *from, unsigned from_type, unsigned from_stride, unsigned rows, unsigned columns) {
    for (unsigned row = blockIdx.y; row < rows; row += gridDim.y) {
        for (unsigned column = blockIdx.x * 256 + threadIdx.x; column < columns; column += gridDim.x * 256) {
            store(to, to_type, at(row, to_stride, column), load(from, from_type, at(row, from_stride, column)));
        }
    }
}

// to[r, c] = from[r, c], bit by bit.
extern "C" __global__ void __launch_bounds__(256) copy_window(
        unsigned char *to, unsigned to_stride,
        const unsigned char *from, unsigned from_stride, unsigned rows, unsigned columns, unsigned element_bytes) {
    for (unsigned row = blockIdx.y; row < rows; row += gridDim.y) {
        for (unsigned column = blockIdx.x * 256 + threadIdx.x; column < columns; column += gridDim.x * 256) {
            for (unsigned byte = 0; byte < element_bytes; byte++) {
                to[at(row, to_stride, column) * element_bytes + byte] =
                        from[at(row, from_stride, column) * element_bytes + byte];
            }
        }
    }
}

// to[r, c] = from[r, order[c]], as F32.
extern "C" __global__ void __launch_bounds__(256) gather_columns(
        float *to, unsigned to_stride,
        const void *from, unsigned from_type, unsigned from_stride, const unsigned *order,
        unsigned rows, unsigned columns) {
    for (unsigned row = blockIdx.y; row < rows; row += gridDim.y) {
        for (unsigned column = blockIdx.x * 256 + threadIdx.x; column < columns; column += gridDim.x * 256) {
            to[at(row, to_stride, column)] = load(from, from_type, at(row, from_stride, entry(order, column)));
        }
    }
}
