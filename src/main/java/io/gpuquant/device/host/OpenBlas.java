package io.gpuquant.device.host;

import io.gpuquant.ResourceException;
import java.io.File;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The one function of OpenBLAS that is used, {@code cblas_sgemm}, called without threads of its own: who splits a product
 * decides how its sums are rounded, so the split is ours and the same for any number of threads.
 */
final class OpenBlas {

    private static final String LIBRARY = "libopenblas.so.0";

    private static final int ROW_MAJOR = 101;
    private static final int NO_TRANSPOSE = 111;
    private static final int TRANSPOSE = 112;
    private static final int CONFIG_LENGTH = 4096;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
    private static final ValueLayout.OfLong POINTER = ValueLayout.JAVA_LONG;

    private final MethodHandle sgemm;
    private final String configuration;

    private OpenBlas(SymbolLookup library) {
        sgemm = function(
                library,
                "cblas_sgemm",
                FunctionDescriptor.ofVoid(
                        INT, INT, INT, INT, INT, INT, FLOAT, POINTER, INT, POINTER, INT, FLOAT, POINTER, INT));
        MethodHandle setThreads =
                function(library, "openblas_set_num_threads", FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT));
        MethodHandle getConfiguration =
                function(library, "openblas_get_config", FunctionDescriptor.of(ValueLayout.ADDRESS));
        try {
            setThreads.invokeExact(1);
            configuration = ((MemorySegment) getConfiguration.invokeExact())
                    .reinterpret(CONFIG_LENGTH)
                    .getString(0);
        } catch (Throwable failure) {
            throw new IllegalStateException("OpenBLAS cannot be called", failure);
        }
    }

    /**
     * Loads the library from the folders of {@code java.library.path}, else from where the system keeps libraries.
     *
     * @throws ResourceException when it is not there or cannot be loaded
     */
    static OpenBlas load() {
        Optional<Path> bundled = bundled();
        try {
            return new OpenBlas(
                    bundled.isPresent()
                            ? SymbolLookup.libraryLookup(bundled.get(), Arena.global())
                            : SymbolLookup.libraryLookup(LIBRARY, Arena.global()));
        } catch (IllegalArgumentException failure) {
            throw new ResourceException(
                    "OpenBLAS (" + bundled.map(Path::toString).orElse(LIBRARY)
                            + ") cannot be loaded; run gpuquant by its launcher, which knows the folder of its libraries",
                    failure);
        }
    }

    private static Optional<Path> bundled() {
        for (String folder : System.getProperty("java.library.path", "").split(File.pathSeparator)) {
            Path candidate = Path.of(folder, LIBRARY);
            if (Files.isRegularFile(candidate)) {
                return Optional.of(candidate.toAbsolutePath());
            }
        }
        return Optional.empty();
    }

    private static MethodHandle function(SymbolLookup library, String name, FunctionDescriptor descriptor) {
        MemorySegment symbol = library.find(name)
                .orElseThrow(() -> new ResourceException("the " + LIBRARY + " that was found has no function " + name
                        + "; run gpuquant by its launcher, which knows the folder of its libraries"));
        return Linker.nativeLinker().downcallHandle(symbol, descriptor);
    }

    /** Version and processor kernel, as the library itself says. */
    String configuration() {
        return configuration.strip();
    }

    /** A matrix operand: address of its first element and elements from row to row, as stored. */
    record Operand(long address, int stride, boolean transposed) {}

    /** {@code C[m, n] = alpha * op(A)[m, k] * op(B)[k, n] + beta * C} in float32, row-major. */
    void sgemm(int m, int n, int k, float alpha, Operand a, Operand b, float beta, Operand c) {
        try {
            sgemm.invokeExact(
                    ROW_MAJOR,
                    a.transposed() ? TRANSPOSE : NO_TRANSPOSE,
                    b.transposed() ? TRANSPOSE : NO_TRANSPOSE,
                    m,
                    n,
                    k,
                    alpha,
                    a.address(),
                    a.stride(),
                    b.address(),
                    b.stride(),
                    beta,
                    c.address(),
                    c.stride());
        } catch (Throwable failure) {
            throw new IllegalStateException("cblas_sgemm cannot be called", failure);
        }
    }
}
