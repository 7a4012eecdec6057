package io.gpuquant.device;

/**
 * A file of PTX kernels.
 *
 * @param name the file's name, for messages and as the key under which devices keep the compiled module
 * @param text the PTX
 */
public record KernelModule(String name, String text) {

    /** The entry of this name in this module. */
    public KernelEntry entry(String entryName) {
        return new KernelEntry(this, entryName);
    }

    @Override
    public String toString() {
        return name;
    }
}
