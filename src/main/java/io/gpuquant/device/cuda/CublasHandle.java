package io.gpuquant.device.cuda;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.Gemm;
import io.gpuquant.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A cuBLAS handle of one stream, with a workspace of its own. cuBLAS repeats a product bit for bit only as long as the
 * workspace it may use does not depend on what other streams do; and setting a handle's stream takes the workspace away from
 * it, so both are set once.
 *
 * @see <a href="https://docs.nvidia.com/cuda/cublas/#results-reproducibility">cuBLAS, results reproducibility</a>
 */
final class CublasHandle implements AutoCloseable {

    /** What NVIDIA recommends for Hopper, where products need most. */
    static final long WORKSPACE_BYTES = 32L << 20;

    private final Cublas cublas;
    private final DeviceBuffer workspace;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment alpha = arena.allocate(ValueLayout.JAVA_FLOAT);
    private final MemorySegment beta = arena.allocate(ValueLayout.JAVA_FLOAT);
    private MemorySegment handle = MemorySegment.NULL;

    private CublasHandle(Cublas cublas, DeviceBuffer workspace) {
        this.cublas = cublas;
        this.workspace = workspace;
    }

    /**
     * Creates a handle; the device's context must be current.
     *
     * @throws CublasException when this version of cuBLAS does not work with the driver or the device
     */
    static CublasHandle create(Cublas cublas, Device device, StreamHandle stream) throws CublasException {
        CublasHandle handle = new CublasHandle(cublas, device.allocate("cuBLAS workspace", WORKSPACE_BYTES));
        try {
            handle.open(stream);
            return handle;
        } catch (CublasException e) {
            handle.close();
            throw e;
        }
    }

    private void open(StreamHandle stream) throws CublasException {
        MemorySegment created = arena.allocate(ValueLayout.ADDRESS);
        check(cublas.create.call(created), "cublasCreate");
        handle = created.get(ValueLayout.ADDRESS, 0);
        check(cublas.setStream.call(handle, stream.address()), "cublasSetStream");
        check(cublas.setWorkspace.call(handle, workspace.address(), workspace.byteSize()), "cublasSetWorkspace");
        // Float32 operands are multiplied as float32 in the default mode; TF32 would have to be asked for. The pedantic
        // mode would only forbid algorithms that round differently, at a price.
        check(cublas.setMathMode.call(handle, Cublas.DEFAULT_MATH), "cublasSetMathMode");
    }

    /**
     * Queues a product. cuBLAS is column-major: it sees a row-major matrix as its transpose, with the same stride. So it is
     * asked for {@code Cᵀ = op(B)ᵀ op(A)ᵀ}, which is the same product with the operands swapped.
     */
    void multiply(Gemm gemm) throws CublasException {
        alpha.set(ValueLayout.JAVA_FLOAT, 0, gemm.alpha());
        beta.set(ValueLayout.JAVA_FLOAT, 0, gemm.beta());
        int type = type(gemm.a().dtype());
        int transposeFirst = gemm.transposeB() ? Cublas.OP_T : Cublas.OP_N;
        int transposeSecond = gemm.transposeA() ? Cublas.OP_T : Cublas.OP_N;
        int strideFirst = Math.max(1, gemm.b().stride());
        int strideSecond = Math.max(1, gemm.a().stride());
        if (gemm.batch() == 1) {
            check(
                    cublas.gemmEx.call(
                            handle,
                            transposeFirst,
                            transposeSecond,
                            gemm.n(),
                            gemm.m(),
                            gemm.k(),
                            alpha,
                            gemm.b().address(),
                            type,
                            strideFirst,
                            gemm.a().address(),
                            type,
                            strideSecond,
                            beta,
                            gemm.c().address(),
                            Cublas.R_32F,
                            gemm.c().stride(),
                            compute(gemm),
                            Cublas.GEMM_DEFAULT),
                    "cublasGemmEx");
        } else {
            check(
                    cublas.gemmStridedBatchedEx.call(
                            handle,
                            transposeFirst,
                            transposeSecond,
                            gemm.n(),
                            gemm.m(),
                            gemm.k(),
                            alpha,
                            gemm.b().address(),
                            type,
                            strideFirst,
                            gemm.batchStrideB(),
                            gemm.a().address(),
                            type,
                            strideSecond,
                            gemm.batchStrideA(),
                            beta,
                            gemm.c().address(),
                            Cublas.R_32F,
                            gemm.c().stride(),
                            gemm.batchStrideC(),
                            gemm.batch(),
                            compute(gemm),
                            Cublas.GEMM_DEFAULT),
                    "cublasGemmStridedBatchedEx");
        }
    }

    private static int compute(Gemm gemm) {
        boolean rounds = gemm.rounding() == Gemm.Rounding.TF32 && gemm.a().dtype() == DType.F32;
        return rounds ? Cublas.COMPUTE_32F_FAST_TF32 : Cublas.COMPUTE_32F;
    }

    private static int type(DType dtype) {
        return switch (dtype) {
            case F16 -> Cublas.R_16F;
            case BF16 -> Cublas.R_16BF;
            case F32 -> Cublas.R_32F;
            default -> throw new IllegalArgumentException("products of " + dtype);
        };
    }

    private static void check(int status, String function) throws CublasException {
        if (status != Cublas.SUCCESS) {
            throw new CublasException(function, status);
        }
    }

    /** Destroys the handle; cuBLAS waits for what was queued with it. */
    @Override
    public void close() {
        if (!handle.equals(MemorySegment.NULL)) {
            // A status other than success can only repeat what a product or a synchronization has reported.
            int _ = cublas.destroy.call(handle);
        }
        workspace.close();
        arena.close();
    }
}
