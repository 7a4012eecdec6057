// Elements of F32, F16 or BF16 read and written as float32, by the type codes that kernels take. The conversions are single
// instructions; naming them here keeps the twins free of headers that not every toolkit installation has.
#pragma once

constexpr unsigned F32 = 0;
constexpr unsigned F16 = 1;
constexpr unsigned BF16 = 2;

static __device__ float from_f16(unsigned short bits) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}

static __device__ unsigned short to_f16(float value) {
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}

static __device__ float from_bf16(unsigned short bits) {
    return __uint_as_float(static_cast<unsigned>(bits) << 16);
}

static __device__ unsigned short to_bf16(float value) {
    unsigned short bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}

static __device__ float load(const void *matrix, unsigned type, unsigned long long index) {
    switch (type) {
        case F32:
            return static_cast<const float *>(matrix)[index];
        case F16:
            return from_f16(static_cast<const unsigned short *>(matrix)[index]);
        default:
            return from_bf16(static_cast<const unsigned short *>(matrix)[index]);
    }
}

static __device__ void store(void *matrix, unsigned type, unsigned long long index, float value) {
    switch (type) {
        case F32:
            static_cast<float *>(matrix)[index] = value;
            break;
        case F16:
            static_cast<unsigned short *>(matrix)[index] = to_f16(value);
            break;
        default:
            static_cast<unsigned short *>(matrix)[index] = to_bf16(value);
            break;
    }
}

// The index of an element, in 64 bits: matrices exceed 2^31 elements.
static __device__ unsigned long long at(unsigned row, unsigned stride, unsigned column) {
    return static_cast<unsigned long long>(row) * stride + column;
}

// An entry of a list of indices, kept in a 32-bit register: the virtual GPU has no loads that widen what they read.
static __device__ unsigned entry(const unsigned *indices, unsigned i) {
    unsigned index = indices[i];
    asm("" : "+r"(index));
    return index;
}
