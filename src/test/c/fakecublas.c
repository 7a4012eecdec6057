/*
 * A stand-in for cuBLAS on the fake driver: column-major products in plain C, done when their turn in the stream has come.
 * VERSION is the major version it claims.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, ARCH_MISMATCH = 8, EXECUTION_FAILED = 13 };
enum { R_32F = 0, R_16F = 2, R_16BF = 14, TF32 = 99, COMPUTE_32F = 68, COMPUTE_32F_FAST_TF32 = 77, GEMM_DEFAULT = -1, WORKSPACE = 32 << 20 };

int fake_enter(const char *name, long value);
int fake_queue_call(void *stream, int (*call)(void *), void *argument);
int fake_current(void);
int fake_holds(const void *address, size_t bytes);

typedef struct { int device; void *stream; char *workspace; size_t workspaceBytes; int mode; } Handle;

typedef struct {
    int transposeA, transposeB, m, n, k, type, lda, ldb, ldc, batch;
    long long strideA, strideB, strideC;
    float alpha, beta;
    const char *a, *b;
    float *c;
    char *workspace;
} Product;

static float half(uint16_t bits) {
    uint32_t sign = (uint32_t) (bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 1023, word;
    float value;
    if (exponent == 0) {
        value = (float) fraction / 16777216.0f;
        memcpy(&word, &value, 4);
    } else {
        word = exponent == 31 ? 0x7f800000 | fraction << 13 : (exponent + 112) << 23 | fraction << 13;
    }
    word |= sign;
    memcpy(&value, &word, 4);
    return value;
}

static float element(const char *matrix, int type, long long index) {
    float value;
    uint16_t bits;
    if (type == R_32F || type == TF32) {
        uint32_t word;
        memcpy(&word, matrix + index * 4, 4);
        if (type == TF32) word = (word + 0x1000) & ~0x1fffu;
        memcpy(&value, &word, 4);
        return value;
    }
    memcpy(&bits, matrix + index * 2, 2);
    if (type == R_16F) return half(bits);
    uint32_t word = (uint32_t) bits << 16;
    memcpy(&value, &word, 4);
    return value;
}

/* Whether memory holds a column-major matrix. */
static int holds(const void *matrix, long long first, int rows, int columns, int ld, int size) {
    return rows == 0 || columns == 0
            || fake_holds((const char *) matrix + first * size, (((size_t) columns - 1) * ld + rows) * size);
}

static int multiply(void *argument) {
    Product *p = argument;
    int size = p->type == R_32F || p->type == TF32 ? 4 : 2, result = SUCCESS;
    for (int batch = 0; batch < p->batch && !result; batch++) {
        long long a = batch * p->strideA, b = batch * p->strideB, c = batch * p->strideC;
        if (!holds(p->a, a, p->transposeA ? p->k : p->m, p->transposeA ? p->m : p->k, p->lda, size)
                || !holds(p->b, b, p->transposeB ? p->n : p->k, p->transposeB ? p->k : p->n, p->ldb, size)
                || !holds(p->c, c, p->m, p->n, p->ldc, 4) || !fake_holds(p->workspace, WORKSPACE)) {
            result = 700;
            break;
        }
        for (int j = 0; j < p->n; j++)
            for (int i = 0; i < p->m; i++) {
                float sum = 0;
                for (int l = 0; l < p->k; l++)
                    sum += element(p->a, p->type, a + (p->transposeA ? (long long) i * p->lda + l : (long long) l * p->lda + i))
                            * element(p->b, p->type, b + (p->transposeB ? (long long) l * p->ldb + j : (long long) j * p->ldb + l));
                float *target = p->c + c + (long long) j * p->ldc + i;
                *target = p->alpha * sum + (p->beta == 0 ? 0 : p->beta * *target);
            }
    }
    free(p);
    return result;
}

int cublasCreate_v2(Handle **handle) {
    int result = fake_enter(__func__, VERSION);
    if (result) return result;
    *handle = calloc(1, sizeof **handle);
    (*handle)->device = fake_current();
    return SUCCESS;
}
int cublasDestroy_v2(Handle *handle) { free(handle); return fake_enter(__func__, -1); }
int cublasSetStream_v2(Handle *handle, void *stream) {
    handle->stream = stream;
    handle->workspace = NULL; /* back to the default pool, as the real one does */
    return fake_enter(__func__, -1);
}
int cublasSetWorkspace_v2(Handle *handle, void *workspace, size_t bytes) {
    handle->workspace = workspace;
    handle->workspaceBytes = bytes;
    return fake_enter(__func__, (long) bytes);
}
int cublasSetMathMode(Handle *handle, int mode) { handle->mode = mode; return fake_enter(__func__, mode); }
#ifndef LACKING_PROPERTY
int cublasGetProperty(int property, int *value) { *value = property == 0 ? VERSION : property + 1; return SUCCESS; }
#endif

int cublasGemmStridedBatchedEx(Handle *handle, int transposeA, int transposeB, int m, int n, int k, const void *alpha,
        const void *a, int typeA, int lda, long long strideA, const void *b, int typeB, int ldb, long long strideB,
        const void *beta, void *c, int typeC, int ldc, long long strideC, int batch, int compute, int algorithm) {
    int result = fake_enter(__func__, batch);
    if (result) return result;
    if (handle->device != fake_current() || !handle->stream || !handle->workspace || handle->workspaceBytes != WORKSPACE) return NOT_INITIALIZED;
    if (compute == COMPUTE_32F_FAST_TF32 ? typeA != R_32F : compute != COMPUTE_32F) return INVALID_VALUE;
    if (typeA != typeB || typeC != R_32F || algorithm != GEMM_DEFAULT || handle->mode != 0
            || lda < 1 || lda < (transposeA ? k : m) || ldb < 1 || ldb < (transposeB ? n : k) || ldc < m || ldc < 1)
        return INVALID_VALUE;
    Product *p = malloc(sizeof *p);
    *p = (Product) {transposeA, transposeB, m, n, k, compute == COMPUTE_32F ? typeA : TF32, lda, ldb, ldc, batch, strideA, strideB, strideC,
            *(const float *) alpha, *(const float *) beta, a, b, c, handle->workspace};
    return fake_queue_call(handle->stream, multiply, p);
}

int cublasGemmEx(Handle *handle, int transposeA, int transposeB, int m, int n, int k, const void *alpha, const void *a,
        int typeA, int lda, const void *b, int typeB, int ldb, const void *beta, void *c, int typeC, int ldc, int compute,
        int algorithm) {
    int result = fake_enter(__func__, -1);
    return result ? result
                  : cublasGemmStridedBatchedEx(handle, transposeA, transposeB, m, n, k, alpha, a, typeA, lda, 0, b, typeB,
                            ldb, 0, beta, c, typeC, ldc, 0, 1, compute, algorithm);
}
