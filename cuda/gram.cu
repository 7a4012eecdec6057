// What the kernels of ptx/gram.ptx compute, up to the rounding of sums for half types. The grid may have any size: its blocks
// share out the tiles of 128 x 128 that lie on or above the diagonal.

static const unsigned TILE = 128;

struct F32 {
    float bits;
    __device__ float value() const { return bits; }
};

struct F16 {
    unsigned short bits;
    __device__ float value() const
    {
        float wide;
        asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(bits));
        return wide;
    }
};

struct BF16 {
    unsigned short bits;
    __device__ float value() const { return __uint_as_float((unsigned) bits << 16); }
};

template <typename Element>
static __device__ void add_gram(
    float *g, unsigned g_stride, const Element *x, unsigned x_stride, unsigned tokens, unsigned n)
{
    unsigned tiles = (n + TILE - 1) / TILE;
    for (unsigned tile = blockIdx.x; tile < tiles * tiles; tile += gridDim.x) {
        unsigned first_row = tile / tiles * TILE;
        unsigned first_column = tile % tiles * TILE;
        if (first_column < first_row) {
            continue;
        }
        for (unsigned element = threadIdx.x; element < TILE * TILE; element += blockDim.x) {
            unsigned row = first_row + element / TILE;
            unsigned column = first_column + element % TILE;
            if (row >= n || column >= n) {
                continue;
            }
            float sum = 0;
            for (unsigned token = 0; token < tokens; token++) {
                const Element *of_token = x + (unsigned long long) token * x_stride;
                sum = fmaf(of_token[row].value(), of_token[column].value(), sum);
            }
            float *out = g + (unsigned long long) row * g_stride + column;
            *out = __fadd_rn(*out, sum);
        }
    }
}

extern "C" __global__ void __launch_bounds__(256) gram_f32(
    float *g, unsigned g_stride, const F32 *x, unsigned x_stride, unsigned tokens, unsigned n)
{
    add_gram(g, g_stride, x, x_stride, tokens, n);
}

extern "C" __global__ void __launch_bounds__(256) gram_f16(
    float *g, unsigned g_stride, const F16 *x, unsigned x_stride, unsigned tokens, unsigned n)
{
    add_gram(g, g_stride, x, x_stride, tokens, n);
}

extern "C" __global__ void __launch_bounds__(256) gram_bf16(
    float *g, unsigned g_stride, const BF16 *x, unsigned x_stride, unsigned tokens, unsigned n)
{
    add_gram(g, g_stride, x, x_stride, tokens, n);
}
