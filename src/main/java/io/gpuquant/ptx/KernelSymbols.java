package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Entry;
import io.gpuquant.ptx.syntax.Variable;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Addresses of the variables and parameters that a kernel names. */
final class KernelSymbols {

    private final SharedLayout shared;
    private final Map<String, Integer> localOffsets = new HashMap<>();
    private final Map<String, Entry.Parameter> parameters = new HashMap<>();
    private int localBytes;

    KernelSymbols(Entry entry, SharedLayout shared) {
        this.shared = shared;
        for (Variable variable : entry.variables()) {
            if (variable.space() == Variable.Space.LOCAL) {
                localBytes = (localBytes + variable.alignment() - 1) / variable.alignment() * variable.alignment();
                localOffsets.put(variable.name(), localBytes);
                localBytes += variable.byteSize();
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

    int sharedAddress(Operands operands, String name) {
        int offset = shared.offsetOf(name);
        if (offset < 0) {
            throw operands.error("names '" + name + "', which is not a shared variable");
        }
        return offset;
    }

    /** The address of a shared or local variable in its own space. */
    long address(Operands operands, String name) {
        Integer local = localOffsets.get(name);
        return local != null ? local : sharedAddress(operands, name);
    }
}
