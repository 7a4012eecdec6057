package io.gpuquant.kernels;

import io.gpuquant.device.KernelModule;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The PTX files that ship with the product. */
final class KernelFiles {

    private static final Map<String, KernelModule> LOADED = new ConcurrentHashMap<>();

    private KernelFiles() {}

    /** The module in a file of {@code ptx/}. */
    static KernelModule module(String fileName) {
        return LOADED.computeIfAbsent(fileName, KernelFiles::load);
    }

    private static KernelModule load(String fileName) {
        try (InputStream stream = KernelFiles.class.getResourceAsStream(fileName)) {
            if (stream == null) {
                throw new IllegalStateException("the kernels of " + fileName + " are missing from this build");
            }
            return new KernelModule(fileName, new String(stream.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException failure) {
            throw new IllegalStateException("cannot read the kernels of " + fileName, failure);
        }
    }
}
