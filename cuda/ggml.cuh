// Rounding as ggml does it.
#pragma once
#include "elements.cuh"

constexpr float NEGLIGIBLE = 1e-15f;

// The nearest integer, ties to even; beyond 22 bits what is left in the mantissa, as on the processor.
static __device__ int nearest(float value) {
    return (int) (__float_as_uint(value + 12582912.0f) & 0x007fffff) - 0x00400000;
}

static __device__ int clamped(int value, int least, int most) {
    return max(least, min(most, value));
}

// An infinite factor maps zero to no number, which counts as zero, and all else out of reach, which counts as zero too
// where levels begin at zero.
static __device__ float finite(float factor) {
    return fabsf(factor) == __int_as_float(0x7f800000) ? 0.0f : factor;
}

// What is left of a factor in float16.
static __device__ float through_half(float value) {
    return from_f16(to_f16(value));
}

// The first value of the largest magnitude, with its sign.
static __device__ float signed_largest(const float *x, unsigned count) {
    float largest = 0;
    float magnitude = 0;
    for (unsigned i = 0; i < count; i++) {
        if (fabsf(x[i]) > magnitude) {
            magnitude = fabsf(x[i]);
            largest = x[i];
        }
    }
    return largest;
}
