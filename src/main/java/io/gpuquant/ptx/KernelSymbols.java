package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Entry;
import io.gpuquant.ptx.syntax.Variable;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Addresses of the variables and parameters that a kernel names. */
final class KernelSymbols {

    private record Place(MemorySpace space, long address) {}

    private final SharedLayout shared;
    private final Map<String, Place> places = new HashMap<>();
    private final Map<String, Entry.Parameter> parameters = new HashMap<>();
    private int localBytes;

    /**
     * @param globals the module's variables in global memory
     */
    KernelSymbols(Entry entry, SharedLayout shared, Map<String, Allocation> globals) {
        this.shared = shared;
        globals.forEach((name, place) -> places.put(name, new Place(MemorySpace.GLOBAL, place.base())));
        for (Variable variable : entry.variables()) {
            switch (variable.space()) {
                case LOCAL -> {
                    int alignment = variable.alignment();
                    localBytes = (localBytes + alignment - 1) / alignment * alignment;
                    places.put(variable.name(), new Place(MemorySpace.LOCAL, localBytes));
                    localBytes += variable.byteSize();
                }
                case SHARED, DYNAMIC_SHARED ->
                    places.put(variable.name(), new Place(MemorySpace.SHARED, this.shared.offsetOf(variable.name())));
                case GLOBAL -> {
                    // Placed once for the module.
                }
            }
        }
        entry.parameters().forEach(parameter -> parameters.put(parameter.name(), parameter));
    }

    /** Local memory of one thread, in bytes. */
    int localBytes() {
        return localBytes;
    }

    Entry.@Nullable Parameter parameter(String name) {
        return parameters.get(name);
    }

    /** The address of a variable in its own space. */
    long address(Operands operands, String name) {
        return place(operands, name).address();
    }

    /** Fails unless a variable lies in a space. */
    void requireIn(Operands operands, String name, MemorySpace space) {
        if (place(operands, name).space() != space) {
            throw operands.error("names '" + name + "', which does not lie in the space that the instruction accesses");
        }
    }

    private Place place(Operands operands, String name) {
        Place place = places.get(name);
        if (place == null) {
            throw operands.error("names '" + name + "', which is not declared");
        }
        return place;
    }
}
