// Twins of the kernels in ptx/hessian.ptx.

// matrix[j, i] = matrix[i, j] for i < j
extern "C" __global__ void __launch_bounds__(256) symmetrize(float *matrix, unsigned n) {
    unsigned blocks = gridDim.x * gridDim.y;
    for (unsigned row = blockIdx.y * gridDim.x + blockIdx.x; row < n; row += blocks) {
        for (unsigned column = threadIdx.x; column < row; column += 256) {
            matrix[(size_t) row * n + column] = matrix[(size_t) column * n + row];
        }
    }
}

// hessian[i, j] = gram[order[i], order[j]] for i <= j, damped on the diagonal, where a dead column gets 1; 0 below it.
extern "C" __global__ void __launch_bounds__(256) hessian_prepare(
        float *hessian, const float *gram, const unsigned *order, unsigned n, float damping) {
    unsigned column = blockIdx.x * 256 + threadIdx.x;
    if (column >= n) {
        return;
    }
    for (unsigned row = blockIdx.y; row < n; row += gridDim.y) {
        float value = 0;
        if (row <= column) {
            value = gram[(size_t) order[row] * n + order[column]];
        }
        if (row == column) {
            value = value == 0 ? 1.0f : __fadd_rn(value, damping);
        }
        hessian[(size_t) row * n + column] = value;
    }
}

// H = R R^T with R upper triangular and U = R^-1: a column of R at a time, from the last, then a row of U at a time.
extern "C" __global__ void __launch_bounds__(256) cholesky_reversed_block(
        float *block, unsigned stride, float *inverse, unsigned n, unsigned *status, unsigned offset) {
    unsigned thread = threadIdx.x;
    for (int k = (int) n - 1; k >= 0; k--) {
        __syncthreads();
        float pivot = block[(size_t) k * stride + k];
        if (!(pivot > 0 && pivot < INFINITY)) {
            if (thread == 0) {
                *status = offset + 1 + k;
            }
            return;
        }
        float root = __fsqrt_rn(pivot);
        __syncthreads();
        if (thread < k) {
            block[(size_t) thread * stride + k] = __fdiv_rn(block[(size_t) thread * stride + k], root);
        } else if (thread < n) {
            block[(size_t) thread * stride + k] = thread == k ? root : 0;
        }
        __syncthreads();
        for (unsigned j = thread; j < k; j += blockDim.x) {
            for (unsigned i = 0; i <= j; i++) {
                block[(size_t) i * stride + j] = __fmaf_rn(
                        -block[(size_t) i * stride + k], block[(size_t) j * stride + k], block[(size_t) i * stride + j]);
            }
        }
    }
    // Columns of U are independent.
    for (int column = thread; column < n; column += blockDim.x) {
        for (int row = (int) n - 1; row >= 0; row--) {
            float sum = row == column ? 1.0f : 0.0f;
            for (int m = row + 1; m <= column; m++) {
                sum = __fmaf_rn(-block[(size_t) row * stride + m], inverse[(size_t) m * n + column], sum);
            }
            inverse[(size_t) row * n + column] =
                    row > column ? 0.0f : __fdiv_rn(sum, block[(size_t) row * stride + row]);
        }
    }
}
