package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Entry;
import io.gpuquant.ptx.syntax.PtxFile;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** A PTX file that the virtual GPU can run. */
public final class PtxModule {

    private final String name;
    private final Map<String, PtxKernel> kernels = new LinkedHashMap<>();

    PtxModule(PtxFile file, MachineOptions options) {
        name = file.name();
        for (Entry entry : file.entries()) {
            kernels.put(entry.name(), new Decoder(file, entry, options).decode());
        }
    }

    /** Names of its kernels, in the order of the file. */
    public Set<String> kernelNames() {
        return java.util.Collections.unmodifiableSet(kernels.keySet());
    }

    /**
     * The kernel of this name.
     *
     * @throws IllegalArgumentException when there is none
     */
    public PtxKernel kernel(String entry) {
        PtxKernel kernel = kernels.get(entry);
        if (kernel == null) {
            throw new IllegalArgumentException(name + " has no kernel '" + entry + "'; it has " + kernels.keySet());
        }
        return kernel;
    }
}
