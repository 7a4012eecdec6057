// Twins of the kernels in ptx/nibbles.ptx.
#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(256) pack_nibbles(
        unsigned *words, unsigned long long word_x, unsigned long long word_y,
        const unsigned char *values, unsigned long long value_x, unsigned long long value_y,
        unsigned long long value_step, unsigned order, unsigned xs, unsigned ys) {
    unsigned x = blockIdx.x * 256 + threadIdx.x;
    if (x >= xs) {
        return;
    }
    for (unsigned y = blockIdx.y; y < ys; y += gridDim.y) {
        unsigned word = 0;
        for (unsigned i = 0; i < 8; i++) {
            unsigned which = order >> (4 * i) & 15;
            unsigned value = values[x * value_x + y * value_y + which * value_step];
            word |= value << (4 * i);
        }
        words[x * word_x + y * word_y] = word;
    }
}

extern "C" __global__ void __launch_bounds__(256) unpack_nibbles(
        const unsigned *words, unsigned long long word_x, unsigned long long word_y,
        unsigned char *values, unsigned long long value_x, unsigned long long value_y,
        unsigned long long value_step, unsigned order, unsigned xs, unsigned ys) {
    unsigned x = blockIdx.x * 256 + threadIdx.x;
    if (x >= xs) {
        return;
    }
    for (unsigned y = blockIdx.y; y < ys; y += gridDim.y) {
        unsigned word = words[x * word_x + y * word_y];
        for (unsigned i = 0; i < 8; i++) {
            unsigned which = order >> (4 * i) & 15;
            values[x * value_x + y * value_y + which * value_step] = (unsigned char) (word >> (4 * i) & 15);
        }
    }
}

// weights[o, i] = scale[g, o] * (code[o, i] - zero[g, o]) with g = i / group_size.
extern "C" __global__ void __launch_bounds__(256) dequantize_codes(
        void *weights, unsigned type, unsigned weights_stride, const unsigned char *codes, unsigned codes_stride,
        const void *scales, unsigned scale_type, const unsigned char *zeros, unsigned grid_stride,
        unsigned out, unsigned in, unsigned group_size) {
    unsigned input = blockIdx.x * 256 + threadIdx.x;
    if (input >= in) {
        return;
    }
    for (unsigned output = blockIdx.y; output < out; output += gridDim.y) {
        unsigned long long grid = at(input / group_size, grid_stride, output);
        int steps = (int) codes[at(output, codes_stride, input)] - (int) zeros[grid];
        store(weights, type, at(output, weights_stride, input), __fmul_rn((float) steps, load(scales, scale_type, grid)));
    }
}
