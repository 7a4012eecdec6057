// Twins of the kernels in ptx/bitstream.ptx.
#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(256) pack_bits(
        unsigned *words, unsigned row_step, unsigned word_step, const unsigned char *values, unsigned values_stride,
        const unsigned *position, unsigned rows, unsigned columns, unsigned bits) {
    unsigned row_words = (columns * bits + 31) / 32;
    for (unsigned index = blockIdx.x * 256 + threadIdx.x; index < rows * row_words; index += gridDim.x * 256) {
        unsigned row = index / row_words;
        unsigned in_row = index % row_words;
        unsigned word = 0;
        for (unsigned bit = 0; bit < 32; bit++) {
            unsigned place = in_row * 32 + bit;
            unsigned i = place / bits;
            if (i < columns) {
                unsigned column = position ? entry(position, i) : i;
                word |= (values[at(row, values_stride, column)] >> place % bits & 1u) << bit;
            }
        }
        words[(unsigned long long) row * row_step + (unsigned long long) in_row * word_step] = word;
    }
}

extern "C" __global__ void __launch_bounds__(256) unpack_bits(
        const unsigned *words, unsigned row_step, unsigned word_step, unsigned char *values, unsigned values_stride,
        unsigned rows, unsigned columns, unsigned bits) {
    unsigned column = blockIdx.x * 256 + threadIdx.x;
    if (column >= columns) {
        return;
    }
    for (unsigned row = blockIdx.y; row < rows; row += gridDim.y) {
        unsigned value = 0;
        for (unsigned i = 0; i < bits; i++) {
            unsigned bit = column * bits + i;
            unsigned long long word = (unsigned long long) row * row_step + (unsigned long long) (bit / 32) * word_step;
            value |= (words[word] >> bit % 32 & 1u) << i;
        }
        values[at(row, values_stride, column)] = (unsigned char) value;
    }
}
