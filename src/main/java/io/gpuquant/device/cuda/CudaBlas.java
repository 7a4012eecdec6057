package io.gpuquant.device.cuda;

import io.gpuquant.InternalException;
import io.gpuquant.device.Blas;
import io.gpuquant.device.Device;
import io.gpuquant.device.Gemm;
import io.gpuquant.device.Stream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import java.util.StringJoiner;

/** Matrix products by cuBLAS. */
final class CudaBlas implements Blas, AutoCloseable {

    /** What a failure's message calls a product. */
    private record Product(int m, int n, int k) {
        @Override
        public String toString() {
            return "a cuBLAS product of " + m + " x " + k + " by " + k + " x " + n;
        }
    }

    private final Device device;
    private final Cublas cublas;
    private final String description;
    private final Map<CudaStream, CublasHandle> handles = new HashMap<>();

    private CudaBlas(Device device, Cublas cublas, CublasSearch.Candidate library) {
        this.device = device;
        this.cublas = cublas;
        this.description = "cuBLAS " + version(cublas) + " (" + library + ")";
    }

    /**
     * Matrix products by the library that {@code candidate} is.
     *
     * @param stream the stream that most products will be queued on
     * @throws IllegalArgumentException when there is no such library
     * @throws java.util.NoSuchElementException when it lacks a function
     * @throws CublasException when it does not work with the driver or the device
     */
    static CudaBlas open(Device device, CudaStream stream, CublasSearch.Candidate candidate) throws CublasException {
        CudaBlas blas = new CudaBlas(device, new Cublas(candidate.load()), candidate);
        blas.handle(stream);
        return blas;
    }

    @Override
    public String description() {
        return description;
    }

    /** The workspace of its handle. */
    @Override
    public long bytesPerStream() {
        return CublasHandle.WORKSPACE_BYTES;
    }

    @Override
    public void gemm(Stream stream, Gemm gemm) {
        if (!(stream instanceof CudaStream cudaStream)) {
            throw new IllegalArgumentException("a product on a stream of another kind of device");
        }
        if (gemm.m() == 0 || gemm.n() == 0) {
            return;
        }
        Product product = new Product(gemm.m(), gemm.n(), gemm.k());
        try {
            CublasHandle handle = handle(cudaStream);
            // Only now, because the stream must wait for the allocation of the handle's workspace, too.
            cudaStream.beforeProduct(product);
            handle.multiply(gemm);
        } catch (CublasException e) {
            throw new InternalException(
                    product + " on " + device.info().id() + " failed with " + e.getMessage()
                            + "; run 'gpuquant selftest --device "
                            + device.info().id()
                            + "', or set -D" + CublasSearch.PROPERTY + " to another libcublas",
                    e);
        }
    }

    private CublasHandle handle(CudaStream stream) throws CublasException {
        CublasHandle known = handles.get(stream);
        if (known != null) {
            return known;
        }
        CublasHandle handle = CublasHandle.create(cublas, device, stream.handle());
        handles.put(stream, handle);
        return handle;
    }

    private static String version(Cublas cublas) {
        StringJoiner version = new StringJoiner(".");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(ValueLayout.JAVA_INT);
            for (int property = 0; property < 3; property++) {
                if (cublas.getProperty.call(property, value) == Cublas.SUCCESS) {
                    version.add(Integer.toString(value.get(ValueLayout.JAVA_INT, 0)));
                }
            }
        }
        return version.toString();
    }

    /** Destroys the handles. */
    @Override
    public void close() {
        handles.values().forEach(CublasHandle::close);
        handles.clear();
    }
}
