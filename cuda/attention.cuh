// What the kernels of ptx/attention_*.ptx compute, by one thread for each query: the largest score first, then weights and their
// sum. Weights are not rounded here.
#pragma once

#include <math_constants.h>

#include "elements.cuh"

template <unsigned TYPE, unsigned SIZE>
static __device__ float score(
        const void *queries, unsigned long long query, const void *keys, unsigned long long key, float cap,
        float cap_exponent) {
    float sum = 0;
    for (unsigned i = 0; i < SIZE; i++) {
        sum = fmaf(load(queries, TYPE, query + i), load(keys, TYPE, key + i), sum);
    }
    return cap > 0 ? cap * (1 - 2 / (exp2f(sum * cap_exponent) + 1)) : sum;
}

template <unsigned TYPE, unsigned SIZE>
static __device__ void attend(
        void *out, unsigned out_stride, const void *queries, unsigned queries_stride, const void *keys,
        unsigned keys_stride, const void *values, unsigned values_stride, unsigned length, unsigned group,
        unsigned causal, unsigned window, float multiplier, float cap, float cap_exponent) {
    unsigned query = blockIdx.x * 64 + threadIdx.x;
    if (threadIdx.x >= 64 || query >= length) {
        return;
    }
    unsigned first = blockIdx.z * length;
    unsigned head = blockIdx.y;
    unsigned key_head = head / group;
    unsigned long long row = at(first + query, queries_stride, head * SIZE);
    unsigned end = causal ? query + 1 : length;
    unsigned start = window > 0 && query + 1 > window ? query + 1 - window : 0;
    float largest = -CUDART_INF_F;
    for (unsigned key = start; key < end; key++) {
        unsigned long long column = at(first + key, keys_stride, key_head * SIZE);
        largest = fmaxf(largest, score<TYPE, SIZE>(queries, row, keys, column, cap, cap_exponent));
    }
    float sum = 0;
    float result[SIZE];
    for (unsigned i = 0; i < SIZE; i++) {
        result[i] = 0;
    }
    for (unsigned key = start; key < end; key++) {
        unsigned long long column = at(first + key, keys_stride, key_head * SIZE);
        float below = score<TYPE, SIZE>(queries, row, keys, column, cap, cap_exponent) - largest;
        float weight = exp2f(below * multiplier);
        sum += weight;
        unsigned long long value = at(first + key, values_stride, key_head * SIZE);
        for (unsigned i = 0; i < SIZE; i++) {
            result[i] = fmaf(weight, load(values, TYPE, value + i), result[i]);
        }
    }
    for (unsigned i = 0; i < SIZE; i++) {
        store(out, TYPE, at(first + query, out_stride, head * SIZE + i), result[i] / sum);
    }
}
