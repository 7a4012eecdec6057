package io.gpuquant.device.cuda;

import io.gpuquant.ResourceException;
import io.gpuquant.device.Blas;
import io.gpuquant.device.BlasFactory;
import io.gpuquant.device.Device;
import java.nio.file.Path;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.StringJoiner;
import java.util.function.Supplier;

/**
 * Decides who computes a device's matrix products: the first cuBLAS that works, else kernels.
 *
 * @param fallback the products that need no library, if they are installed
 */
record BlasChoice(CublasSearch search, Supplier<Optional<BlasFactory>> fallback) {

    /**
     * Makes the choice.
     *
     * @param closeLater takes what has to be closed before the device
     * @throws ResourceException when the library the user named does not work, or nothing does
     */
    Blas open(Device device, CudaStream stream, DeviceHeap heap, CloseStack closeLater) {
        StringJoiner failures = new StringJoiner(", ");
        for (CublasSearch.Candidate candidate : search.candidates()) {
            try {
                CudaBlas blas = CudaBlas.open(device, stream, heap, candidate);
                closeLater.push(blas::close);
                return blas;
            } catch (IllegalArgumentException | NoSuchElementException | CublasException e) {
                failures.add(candidate + ": " + e.getMessage());
            }
        }
        Path override = search.override();
        if (override != null) {
            throw new ResourceException("the cuBLAS that -D" + CublasSearch.PROPERTY + " names cannot be used: "
                    + failures + "; correct the path, or leave it out");
        }
        return fallback.get()
                .map(factory -> factory.create(device))
                .orElseThrow(() -> new ResourceException(
                        "no cuBLAS was found for " + device.info().id() + " (" + failures
                                + "); install libcublas, or set -D" + CublasSearch.PROPERTY + " to its file"));
    }
}
