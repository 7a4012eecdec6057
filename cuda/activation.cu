// Twins of the kernels in ptx/activation.ptx.
#include "elements.cuh"

// out[r, c] = gate / (1 + exp(-gate)) * up.
extern "C" __global__ void __launch_bounds__(256) swiglu(
        void *out, unsigned out_type, const float *gate, const float *up, unsigned stride,
        unsigned rows, unsigned columns) {
    for (unsigned row = blockIdx.y; row < rows; row += gridDim.y) {
        for (unsigned column = blockIdx.x * 256 + threadIdx.x; column < columns; column += gridDim.x * 256) {
            const float g = gate[at(row, stride, column)];
            const float u = up[at(row, stride, column)];
            store(out, out_type, at(row, columns, column), g / (1 + expf(-g)) * u);
        }
    }
}

// out[r, c] = gate / (1 + exp(-2 sqrt(2/pi) (gate + 0.044715 gate^3))) * up.
extern "C" __global__ void __launch_bounds__(256) geglu_tanh(
        void *out, unsigned out_type, const float *gate, const float *up, unsigned stride,
        unsigned rows, unsigned columns) {
    for (unsigned row = blockIdx.y; row < rows; row += gridDim.y) {
        for (unsigned column = blockIdx.x * 256 + threadIdx.x; column < columns; column += gridDim.x * 256) {
            const float g = gate[at(row, stride, column)];
            const float u = up[at(row, stride, column)];
            const float t = g * (1.5957691216f + 0.0713548163f * g * g);
            store(out, out_type, at(row, columns, column), g / (1 + expf(-t)) * u);
        }
    }
}

// matrix[r, c] += bias[c].
extern "C" __global__ void __launch_bounds__(256) add_bias(
        float *matrix, unsigned stride, const void *bias, unsigned bias_type, unsigned rows, unsigned columns) {
    for (unsigned row = blockIdx.y; row < rows; row += gridDim.y) {
        for (unsigned column = blockIdx.x * 256 + threadIdx.x; column < columns; column += gridDim.x * 256) {
            matrix[at(row, stride, column)] += load(bias, bias_type, column);
        }
    }
}

// hidden[i] += delta[i].
extern "C" __global__ void __launch_bounds__(256) residual_add(
        float *hidden, const float *delta, unsigned long long elements) {
    const unsigned long long threads = static_cast<unsigned long long>(gridDim.x) * 256;
    for (unsigned long long i = static_cast<unsigned long long>(blockIdx.x) * 256 + threadIdx.x; i < elements;
            i += threads) {
        hidden[i] += delta[i];
    }
}

// x[i] = cap * tanh(x[i] / cap).
extern "C" __global__ void __launch_bounds__(256) soft_cap(float *x, unsigned long long elements, float cap) {
    const unsigned long long threads = static_cast<unsigned long long>(gridDim.x) * 256;
    for (unsigned long long i = static_cast<unsigned long long>(blockIdx.x) * 256 + threadIdx.x; i < elements;
            i += threads) {
        x[i] = cap * tanhf(x[i] / cap);
    }
}
