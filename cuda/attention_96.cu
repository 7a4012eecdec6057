// Twins of the kernels in ptx/attention_96.ptx.
#include "attention.cuh"

extern "C" __global__ void __launch_bounds__(128) attention_f16_96(
        void *out, unsigned out_stride, const void *queries, unsigned queries_stride, const void *keys,
        unsigned keys_stride, const void *values, unsigned values_stride, unsigned length, unsigned group,
        unsigned causal, unsigned window, float multiplier, float cap, float cap_exponent) {
    attend<F16, 96>(
            out, out_stride, queries, queries_stride, keys, keys_stride, values, values_stride, length, group, causal,
            window, multiplier, cap, cap_exponent);
}

extern "C" __global__ void __launch_bounds__(128) attention_bf16_96(
        void *out, unsigned out_stride, const void *queries, unsigned queries_stride, const void *keys,
        unsigned keys_stride, const void *values, unsigned values_stride, unsigned length, unsigned group,
        unsigned causal, unsigned window, float multiplier, float cap, float cap_exponent) {
    attend<BF16, 96>(
            out, out_stride, queries, queries_stride, keys, keys_stride, values, values_stride, length, group, causal,
            window, multiplier, cap, cap_exponent);
}
