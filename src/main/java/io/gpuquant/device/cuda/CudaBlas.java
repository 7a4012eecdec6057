package io.gpuquant.device.cuda;

import io.gpuquant.InternalException;
import io.gpuquant.ResourceException;
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

    /** A call of cuBLAS; gives the handle that it was made with. */
    private interface Call {
        CublasHandle make() throws CublasException;
    }

    private final Device device;
    private final DeviceHeap heap;
    private final Cublas cublas;
    private final String description;
    private final Map<CudaStream, CublasHandle> handles = new HashMap<>();

    private CudaBlas(Device device, DeviceHeap heap, Cublas cublas, CublasSearch.Candidate library) {
        this.device = device;
        this.heap = heap;
        this.cublas = cublas;
        this.description = "cuBLAS " + version(cublas) + " (" + library + ")";
    }

    /**
     * Matrix products by the library that {@code candidate} is.
     *
     * @param stream the stream that most products will be queued on
     * @param heap the device's memory, where the library looks for its own
     * @throws IllegalArgumentException when there is no such library
     * @throws java.util.NoSuchElementException when it lacks a function
     * @throws CublasException when it does not work with the driver or the device
     */
    static CudaBlas open(Device device, CudaStream stream, DeviceHeap heap, CublasSearch.Candidate candidate)
            throws CublasException {
        CudaBlas blas = new CudaBlas(device, heap, new Cublas(candidate.load()), candidate);
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
            withRoom(() -> {
                handle.multiply(gemm);
                return handle;
            });
        } catch (CublasException e) {
            if (e.isLackOfMemory()) {
                throw new ResourceException(
                        device.info().id() + " has no memory left for what cuBLAS needs beside the operands of "
                                + product
                                + "; leave it more with --device-memory, or free the memory that other processes hold",
                        e);
            }
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
        CublasHandle handle = withRoom(() -> CublasHandle.create(cublas, device, stream.handle()));
        handles.put(stream, handle);
        return handle;
    }

    /** What a call gives; once more, with memory given back before, if it found too little for the library's own needs. */
    private CublasHandle withRoom(Call call) throws CublasException {
        try {
            return call.make();
        } catch (CublasException e) {
            if (!e.isLackOfMemory()) {
                throw e;
            }
            heap.giveBackUnused();
            return call.make();
        }
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
