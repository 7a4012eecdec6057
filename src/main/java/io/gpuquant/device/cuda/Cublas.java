package io.gpuquant.device.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;

/**
 * The functions of cuBLAS that are needed, which are the same in its versions 11, 12 and 13.
 *
 * @see <a href="https://docs.nvidia.com/cuda/cublas/">cuBLAS library</a>
 */
final class Cublas {

    static final int OP_N = 0;
    static final int OP_T = 1;
    static final int DEFAULT_MATH = 0;
    static final int COMPUTE_32F = 68;
    static final int COMPUTE_32F_FAST_TF32 = 77;
    static final int GEMM_DEFAULT = -1;
    static final int R_32F = 0;
    static final int R_16F = 2;
    static final int R_16BF = 14;

    static final int SUCCESS = 0;
    static final int ALLOC_FAILED = 3;

    public interface Create {
        int call(MemorySegment handle);
    }

    public interface Destroy {
        int call(MemorySegment handle);
    }

    public interface SetStream {
        int call(MemorySegment handle, long stream);
    }

    public interface SetMathMode {
        int call(MemorySegment handle, int mode);
    }

    public interface SetWorkspace {
        int call(MemorySegment handle, long workspace, long bytes);
    }

    public interface GetProperty {
        int call(int property, MemorySegment value);
    }

    /** {@code cublasGemmEx}. */
    public interface GemmEx {
        int call(
                MemorySegment handle,
                int transposeA,
                int transposeB,
                int m,
                int n,
                int k,
                MemorySegment alpha,
                long a,
                int typeA,
                int strideA,
                long b,
                int typeB,
                int strideB,
                MemorySegment beta,
                long c,
                int typeC,
                int strideC,
                int computeType,
                int algorithm);
    }

    /** {@code cublasGemmStridedBatchedEx}. */
    public interface GemmStridedBatchedEx {
        int call(
                MemorySegment handle,
                int transposeA,
                int transposeB,
                int m,
                int n,
                int k,
                MemorySegment alpha,
                long a,
                int typeA,
                int strideA,
                long batchStrideA,
                long b,
                int typeB,
                int strideB,
                long batchStrideB,
                MemorySegment beta,
                long c,
                int typeC,
                int strideC,
                long batchStrideC,
                int batch,
                int computeType,
                int algorithm);
    }

    final Create create;
    final Destroy destroy;
    final SetStream setStream;
    final SetMathMode setMathMode;
    final SetWorkspace setWorkspace;
    final GetProperty getProperty;
    final GemmEx gemmEx;
    final GemmStridedBatchedEx gemmStridedBatchedEx;

    /** @throws java.util.NoSuchElementException when the library lacks a function */
    Cublas(SymbolLookup library) {
        create = ForeignFunctions.bind(library, "cublasCreate_v2", Create.class);
        destroy = ForeignFunctions.bind(library, "cublasDestroy_v2", Destroy.class);
        setStream = ForeignFunctions.bind(library, "cublasSetStream_v2", SetStream.class);
        setMathMode = ForeignFunctions.bind(library, "cublasSetMathMode", SetMathMode.class);
        setWorkspace = ForeignFunctions.bind(library, "cublasSetWorkspace_v2", SetWorkspace.class);
        getProperty = ForeignFunctions.bind(library, "cublasGetProperty", GetProperty.class);
        gemmEx = ForeignFunctions.bind(library, "cublasGemmEx", GemmEx.class);
        gemmStridedBatchedEx = ForeignFunctions.bind(library, "cublasGemmStridedBatchedEx", GemmStridedBatchedEx.class);
    }

    /** The name of a status, such as {@code CUBLAS_STATUS_EXECUTION_FAILED}. */
    static String statusName(int status) {
        return switch (status) {
            case SUCCESS -> "CUBLAS_STATUS_SUCCESS";
            case 1 -> "CUBLAS_STATUS_NOT_INITIALIZED";
            case ALLOC_FAILED -> "CUBLAS_STATUS_ALLOC_FAILED";
            case 7 -> "CUBLAS_STATUS_INVALID_VALUE";
            case 8 -> "CUBLAS_STATUS_ARCH_MISMATCH";
            case 11 -> "CUBLAS_STATUS_MAPPING_ERROR";
            case 13 -> "CUBLAS_STATUS_EXECUTION_FAILED";
            case 14 -> "CUBLAS_STATUS_INTERNAL_ERROR";
            case 15 -> "CUBLAS_STATUS_NOT_SUPPORTED";
            case 16 -> "CUBLAS_STATUS_LICENSE_ERROR";
            default -> "cuBLAS status " + status;
        };
    }
}
