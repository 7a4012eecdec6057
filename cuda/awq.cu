// Twins of the kernels in ptx/awq.ptx.
#include "elements.cuh"

// partials[band, c] += the sum over rows r = band, band + bands ... of |matrix[r, c]|, or of its square.
extern "C" __global__ void __launch_bounds__(256) column_sums(
        float *partials, unsigned bands, const void *matrix, unsigned type, unsigned stride,
        unsigned rows, unsigned columns, unsigned squares) {
    for (unsigned band = blockIdx.y * 8 + threadIdx.x / 32; band < bands; band += gridDim.y * 8) {
        for (unsigned column = blockIdx.x * 128 + threadIdx.x % 32; column < columns && column < (blockIdx.x + 1) * 128;
                column += 32) {
            float sum = partials[at(band, columns, column)];
            for (unsigned row = band; row < rows; row += bands) {
                float x = load(matrix, type, at(row, stride, column));
                sum = squares ? __fmaf_rn(x, x, sum) : __fadd_rn(sum, fabsf(x));
            }
            partials[at(band, columns, column)] = sum;
        }
    }
}

// shares = |weights| / (max |weights| of the group + 1e-6). One thread per group of a row.
extern "C" __global__ void __launch_bounds__(256) group_shares(
        float *shares, const float *weights, unsigned rows, unsigned groups, unsigned group_size) {
    for (unsigned group = blockIdx.x * 256 + threadIdx.x; group < rows * groups; group += gridDim.x * 256) {
        const float *in = weights + (unsigned long long) group * group_size;
        float *out = shares + (unsigned long long) group * group_size;
        float most = 0;
        for (unsigned i = 0; i < group_size; i++) {
            most = fmaxf(most, fabsf(in[i]));
        }
        most = __fadd_rn(most, 1e-6f);
        for (unsigned i = 0; i < group_size; i++) {
            out[i] = __fdiv_rn(fabsf(in[i]), most);
        }
    }
}

// Adding 1.5 * 2^23 to a float rounds it to an integer, ties to even.
#define INTEGERS 12582912.0f

// base^exponent for base >= 0, out of rounded operations alone.
static __device__ float power(float base, float exponent) {
    if (base < 1.17549435e-38f) {
        return exponent == 0 ? 1 : 0;
    }
    int e = (int) (__float_as_uint(base) - 0x3f3504f3u) >> 23;      // sqrt(1/2)
    float m = __uint_as_float(__float_as_uint(base) - ((unsigned) e << 23));
    float t = __fdiv_rn(__fsub_rn(m, 1), __fadd_rn(m, 1));
    float square = __fmul_rn(t, t);
    float p = __fmaf_rn(0.3205988979753252f, square, 0.4121985831111324f);
    p = __fmaf_rn(p, square, 0.5770780163555853f);
    p = __fmaf_rn(p, square, 0.9617966939259756f);
    p = __fmaf_rn(p, square, 2.8853900817779268f);
    float y = __fmul_rn(__fmaf_rn(t, p, (float) e), exponent);
    y = fminf(fmaxf(y, -126), 126);
    float n = __fadd_rn(y, INTEGERS);
    unsigned whole = __float_as_uint(n) - __float_as_uint(INTEGERS);
    float f = __fsub_rn(y, __fsub_rn(n, INTEGERS));
    float q = __fmaf_rn(1.525273380405984e-05f, f, 0.00015403530393381608f);
    q = __fmaf_rn(q, f, 0.0013333558146428443f);
    q = __fmaf_rn(q, f, 0.009618129107628477f);
    q = __fmaf_rn(q, f, 0.05550410866482158f);
    q = __fmaf_rn(q, f, 0.24022650695910072f);
    q = __fmaf_rn(q, f, 0.6931471805599453f);
    q = __fmaf_rn(q, f, 1);
    return __fmul_rn(__uint_as_float((whole + 127) << 23), q);
}

static __device__ float sum_of_bands(const float *partials, unsigned bands, unsigned columns, unsigned column) {
    float sum = 0;
    for (unsigned band = 0; band < bands; band++) {
        sum = __fadd_rn(sum, partials[at(band, columns, column)]);
    }
    return sum;
}

extern "C" __global__ void __launch_bounds__(256) candidate_scales(
        float *scales, const float *x_partials, float x_factor, const float *w_partials, float w_factor,
        unsigned bands, unsigned columns, unsigned points, unsigned duo) {
    __shared__ float mosts[256];
    __shared__ float leasts[256];
    float *row = scales + (unsigned long long) blockIdx.x * columns;
    float ratio = __fdiv_rn((float) (blockIdx.x - 1), (float) points);
    float most = 0;
    float least = __uint_as_float(0x7f800000);
    for (unsigned column = threadIdx.x; column < columns; column += 256) {
        float s = 1;
        if (blockIdx.x > 0) {
            float x = __fmul_rn(sum_of_bands(x_partials, bands, columns, column), x_factor);
            float w = __fmul_rn(sum_of_bands(w_partials, bands, columns, column), w_factor);
            s = power(x, ratio);
            if (duo) {
                s = __fdiv_rn(s, __fadd_rn(power(w, __fsub_rn(1, ratio)), 1e-4f));
            }
            s = fmaxf(s, 1e-4f);
        }
        row[column] = s;
        most = fmaxf(most, s);
        least = fminf(least, s);
    }
    mosts[threadIdx.x] = most;
    leasts[threadIdx.x] = least;
    __syncthreads();
    for (unsigned i = 0; i < 256; i++) {
        most = fmaxf(most, mosts[i]);
        least = fminf(least, leasts[i]);
    }
    float norm = __fsqrt_rn(__fmul_rn(most, least));
    for (unsigned column = threadIdx.x; column < columns; column += 256) {
        float s = __fdiv_rn(row[column], norm);
        row[column] = __fsub_rn(s, s) == 0 ? s : 1;
    }
}
