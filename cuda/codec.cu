// Twins of the kernels in ptx/codec.ptx.
#include "elements.cuh"

constexpr unsigned INT8 = 0;
constexpr unsigned E4M3 = 1;
constexpr unsigned E2M1 = 2;

static __device__ float rounded(float value, unsigned type) {
    switch (type) {
        case F16:
            return from_f16(to_f16(value));
        case BF16:
            return from_bf16(to_bf16(value));
        default:
            return value;
    }
}

static __device__ unsigned encode_int8(float x) {
    return __float2int_rn(fminf(fmaxf(x, -128.0f), 127.0f)) & 255;
}

// In units of the last place of x: the least step is 2^-9, and a number of exponent e has steps of 2^(e - 3).
static __device__ unsigned encode_e4m3(float x) {
    const unsigned sign = __float_as_uint(x) >> 31 << 7;
    if (x != x) {
        return sign | 0x7f;
    }
    const float a = fminf(fabsf(x), 448.0f);
    const int exponent = max((int) (__float_as_uint(a) >> 23) - 127, -6);
    const int steps = __float2int_rn(__fmul_rn(a, __uint_as_float((unsigned) (3 - exponent + 127) << 23)));
    return sign | (unsigned) (steps + (exponent + 6) * 8);
}

static __device__ unsigned encode_e2m1(float x) {
    const float a = fabsf(x);
    const unsigned code =
            (a > 0.25f) + (a >= 0.75f) + (a > 1.25f) + (a >= 1.75f) + (a > 2.5f) + (a >= 3.5f) + (a > 5.0f);
    return __float_as_uint(x) >> 31 << 3 | code;
}

static __device__ unsigned encode_e8m0(float x) {
    if (x != x) {
        return 255;
    }
    const unsigned bits = __float_as_uint(fabsf(x));
    return min((bits >> 23) + ((bits & 0x7fffff) >= 0x600000), 254u);
}

// codes[r, c] = the code of values[r, c] times or over the scale of its tile.
extern "C" __global__ void __launch_bounds__(256) encode_elements(
        unsigned char *codes, unsigned code_stride, const void *values, unsigned type, unsigned value_stride,
        const float *scales, unsigned scale_stride, unsigned tile_rows, unsigned tile_columns, unsigned divides,
        unsigned rounding, unsigned codec, unsigned zero_code, unsigned rows, unsigned columns) {
    const unsigned column = blockIdx.x * 256 + threadIdx.x;
    if (column >= columns) {
        return;
    }
    for (unsigned row = blockIdx.y; row < rows; row += gridDim.y) {
        const float scale = scales[at(row / tile_rows, scale_stride, column / tile_columns)];
        const float value = load(values, type, at(row, value_stride, column));
        const float x = rounded(divides ? __fdiv_rn(value, scale) : __fmul_rn(value, scale), rounding);
        unsigned code;
        switch (codec) {
            case INT8:
                code = encode_int8(x);
                break;
            case E4M3:
                code = encode_e4m3(x);
                break;
            case E2M1:
                code = encode_e2m1(x);
                break;
            default:
                code = encode_e8m0(x);
                break;
        }
        codes[at(row, code_stride, column)] = (unsigned char) (code == 0 ? zero_code : code);
    }
}

// A number without a sign of an exponent and a mantissa of one or three bits.
static __device__ float small_float(unsigned code, unsigned mantissa_bits, int bias) {
    const unsigned mantissa = code & ((1u << mantissa_bits) - 1);
    const int exponent = (int) (code >> mantissa_bits);
    const float steps = (float) (exponent == 0 ? mantissa : mantissa + (1u << mantissa_bits));
    const int power = max(exponent, 1) - bias - (int) mantissa_bits;
    return __fmul_rn(steps, __uint_as_float((unsigned) (power + 127) << 23));
}

static __device__ float decode(unsigned code, unsigned codec) {
    switch (codec) {
        case INT8:
            return (float) ((int) (code << 24) >> 24);
        case E4M3: {
            const float a = (code & 0x7f) == 0x7f ? __uint_as_float(0x7fc00000) : small_float(code & 0x7f, 3, 7);
            return code & 0x80 ? -a : a;
        }
        case E2M1: {
            const float a = small_float(code & 7, 1, 1);
            return code & 8 ? -a : a;
        }
        default:
            return __uint_as_float(code == 0 ? 0x00400000 : code == 255 ? 0x7fc00000 : code << 23);
    }
}

// values[r, c] = what codes[r, c] stands for, times or over the scale of its tile.
extern "C" __global__ void __launch_bounds__(256) decode_elements(
        void *values, unsigned type, unsigned value_stride, const unsigned char *codes, unsigned code_stride,
        const float *scales, unsigned scale_stride, unsigned tile_rows, unsigned tile_columns, unsigned divides,
        unsigned codec, unsigned rows, unsigned columns) {
    const unsigned column = blockIdx.x * 256 + threadIdx.x;
    if (column >= columns) {
        return;
    }
    for (unsigned row = blockIdx.y; row < rows; row += gridDim.y) {
        const float scale = scales[at(row / tile_rows, scale_stride, column / tile_columns)];
        const float x = decode(codes[at(row, code_stride, column)], codec);
        store(values, type, at(row, value_stride, column), divides ? __fdiv_rn(x, scale) : __fmul_rn(x, scale));
    }
}

// codes[r, c] = codes_of[k], where k thresholds are less than (values[r, c] - offset) * scale, cut to -1 to 1.
extern "C" __global__ void __launch_bounds__(256) encode_table(
        unsigned char *codes, unsigned code_stride, const void *values, unsigned type, unsigned value_stride,
        const float *scales, unsigned scale_stride, unsigned tile_rows, unsigned tile_columns, float offset,
        const float *thresholds, const unsigned char *codes_of, unsigned size, unsigned rows, unsigned columns) {
    const unsigned column = blockIdx.x * 256 + threadIdx.x;
    if (column >= columns) {
        return;
    }
    for (unsigned row = blockIdx.y; row < rows; row += gridDim.y) {
        const float scale = scales[at(row / tile_rows, scale_stride, column / tile_columns)];
        const float value = __fsub_rn(load(values, type, at(row, value_stride, column)), offset);
        const float x = fminf(fmaxf(__fmul_rn(value, scale), -1.0f), 1.0f);
        unsigned count = 0;
        while (count < size - 1 && thresholds[count] < x) {
            count++;
        }
        codes[at(row, code_stride, column)] = codes_of[count];
    }
}

// values[r, c] = table[codes[r, c]] * scale + offset.
extern "C" __global__ void __launch_bounds__(256) decode_table(
        void *values, unsigned type, unsigned value_stride, const unsigned char *codes, unsigned code_stride,
        const float *scales, unsigned scale_stride, unsigned tile_rows, unsigned tile_columns, float offset,
        const float *table, unsigned rows, unsigned columns) {
    const unsigned column = blockIdx.x * 256 + threadIdx.x;
    if (column >= columns) {
        return;
    }
    for (unsigned row = blockIdx.y; row < rows; row += gridDim.y) {
        const float scale = scales[at(row / tile_rows, scale_stride, column / tile_columns)];
        const float x = __fmul_rn(table[codes[at(row, code_stride, column)]], scale);
        store(values, type, at(row, value_stride, column), __fadd_rn(x, offset));
    }
}
