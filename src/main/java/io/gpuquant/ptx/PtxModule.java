package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Entry;
import io.gpuquant.ptx.syntax.PtxFile;
import io.gpuquant.ptx.syntax.PtxSyntaxException;
import io.gpuquant.ptx.syntax.Variable;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A PTX file that the virtual GPU can run. Its variables live in global memory as long as the machine does. */
public final class PtxModule {

    private final String name;
    private final @Nullable VirtualGpu home;
    private final Map<String, PtxKernel> kernels = new LinkedHashMap<>();

    PtxModule(PtxFile file, VirtualGpu machine) {
        name = file.name();
        boolean global = file.variables().stream().anyMatch(variable -> variable.space() == Variable.Space.GLOBAL);
        home = global ? machine : null;
        GlobalMemory memory = machine.memory();
        Map<String, Allocation> globals = new HashMap<>();
        try {
            for (Variable variable : file.variables()) {
                if (variable.space() == Variable.Space.GLOBAL) {
                    Allocation place = memory.allocate(variable.name(), variable.byteSize());
                    globals.put(variable.name(), place);
                    initialize(variable, memory.writable(place.base(), place.byteSize()));
                }
            }
            for (Entry entry : file.entries()) {
                Decoder decoder = new Decoder(file, entry, machine.options(), globals);
                kernels.put(entry.name(), decoder.decode(home));
            }
        } catch (PtxSyntaxException failure) {
            globals.values().forEach(memory::free);
            throw failure;
        }
    }

    private static void initialize(Variable variable, MemorySegment bytes) {
        bytes.fill((byte) 0);
        for (int i = 0; i < variable.initial().size(); i++) {
            long value = variable.initial().get(i);
            for (int j = 0; j < variable.elementBytes(); j++) {
                long at = (long) i * variable.elementBytes() + j;
                bytes.set(ValueLayout.JAVA_BYTE, at, (byte) (value >>> Byte.SIZE * j));
            }
        }
    }

    /** The machine in whose memory it has variables; null where it has none. */
    @Nullable
    VirtualGpu home() {
        return home;
    }

    /** Names of its kernels, in the order of the file. */
    public Set<String> kernelNames() {
        return Collections.unmodifiableSet(kernels.keySet());
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
