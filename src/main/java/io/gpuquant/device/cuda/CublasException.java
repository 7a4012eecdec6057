package io.gpuquant.device.cuda;

/** A status of cuBLAS other than success; the message says which, of which function. */
final class CublasException extends Exception {

    private static final long serialVersionUID = 1L;

    private final int status;

    CublasException(String function, int status) {
        super(Cublas.statusName(status) + " from " + function);
        this.status = status;
    }

    boolean isLackOfMemory() {
        return status == Cublas.ALLOC_FAILED;
    }
}
