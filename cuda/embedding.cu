// Twin of the kernel in ptx/embedding.ptx.
#include "elements.cuh"

// hidden[t, c] = table[ids[t], c] * scale, in F32.
extern "C" __global__ void __launch_bounds__(256) embedding_gather(
        float *hidden, const void *table, unsigned table_type, const unsigned *ids, unsigned tokens, unsigned columns,
        float scale) {
    for (unsigned token = blockIdx.y; token < tokens; token += gridDim.y) {
        for (unsigned column = blockIdx.x * 256 + threadIdx.x; column < columns; column += gridDim.x * 256) {
            hidden[at(token, columns, column)] = load(table, table_type, at(entry(ids, token), columns, column)) * scale;
        }
    }
}
