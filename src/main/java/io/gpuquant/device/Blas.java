package io.gpuquant.device;

/** Matrix products of a device. */
public interface Blas {

    /** Which library computes, and its version, in words. */
    String description();

    /** Queues a product on a stream of the same device. */
    void gemm(Stream stream, Gemm gemm);
}
