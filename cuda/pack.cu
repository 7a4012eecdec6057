// Twins of the kernels in ptx/pack.ptx.
#include "elements.cuh"

// Bits of value `index` of a stream that fall into word `word`.
static __device__ unsigned in_word(unsigned value, unsigned index, unsigned bits, unsigned word) {
    int shift = (int) (index * bits) - (int) (word * 32);
    return shift >= 0 ? value << shift : value >> -shift;
}

// Value `index` of a stream whose words lie `step` apart.
static __device__ unsigned from_stream(const unsigned *words, size_t step, unsigned index, unsigned bits) {
    unsigned word = index * bits / 32;
    unsigned shift = index * bits % 32;
    unsigned value = words[word * step] >> shift;
    if (shift + bits > 32) {
        value |= words[(word + 1) * step] << (32 - shift);
    }
    return value & ((1u << bits) - 1);
}

extern "C" __global__ void __launch_bounds__(256) pack_weights(
        unsigned *packed, const unsigned char *codes, unsigned codes_stride, const unsigned *position,
        unsigned out, unsigned in, unsigned bits) {
    unsigned output = blockIdx.x * 256 + threadIdx.x;
    if (output >= out) {
        return;
    }
    for (unsigned word = blockIdx.y; word < in * bits / 32; word += gridDim.y) {
        unsigned result = 0;
        for (unsigned i = word * 32 / bits; i * bits < word * 32 + 32; i++) {
            result |= in_word(codes[(size_t) output * codes_stride + __ldg(position + i)], i, bits, word);
        }
        packed[(size_t) word * out + output] = result;
    }
}

extern "C" __global__ void __launch_bounds__(256) pack_zeros(
        unsigned *packed, const unsigned char *zeros, unsigned zeros_stride,
        unsigned groups, unsigned out, unsigned stored, unsigned bits) {
    unsigned words = out * bits / 32;
    unsigned word = blockIdx.x * 256 + threadIdx.x;
    if (word >= words) {
        return;
    }
    for (unsigned group = blockIdx.y; group < groups; group += gridDim.y) {
        unsigned result = 0;
        for (unsigned o = word * 32 / bits; o * bits < word * 32 + 32; o++) {
            unsigned zero = (zeros[(size_t) group * zeros_stride + o] - stored) & ((1u << bits) - 1);
            result |= in_word(zero, o, bits, word);
        }
        packed[(size_t) group * words + word] = result;
    }
}

// weights[o, i] = scale[g, o] * (code[i, o] - zero[g, o]), g = groups[i]; types 0 F32, 1 F16, 2 BF16.
extern "C" __global__ void __launch_bounds__(256) dequantize(
        void *weights, unsigned type, unsigned weights_stride, const unsigned *packed, const unsigned *zeros,
        const unsigned short *scales, const unsigned *groups, unsigned out, unsigned in, unsigned bits, unsigned stored) {
    unsigned input = blockIdx.x * 256 + threadIdx.x;
    if (input >= in) {
        return;
    }
    size_t group = __ldg(groups + input);
    for (unsigned quad = blockIdx.y; quad < out / 4; quad += gridDim.y) {
        for (unsigned output = 4 * quad; output < 4 * quad + 4; output++) {
            unsigned code = from_stream(packed + output, out, input, bits);
            unsigned zero = from_stream(zeros + group * (out * bits / 32), 1, output, bits) + stored;
            zero &= (1u << bits) - 1;
            float scale = from_f16(scales[group * out + output]);
            float value = __fmul_rn(scale, (float) ((int) code - (int) zero));
            store(weights, type, at(output, weights_stride, input), value);
        }
    }
}
