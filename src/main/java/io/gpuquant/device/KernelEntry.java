package io.gpuquant.device;

/** One kernel of a module. */
public record KernelEntry(KernelModule module, String name) {

    @Override
    public String toString() {
        return name + " of " + module.name();
    }
}
