package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Entry;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A kernel that the virtual GPU can launch. */
public final class PtxKernel {

    private final MachineOptions options;
    private final @Nullable VirtualGpu home;
    private final String module;
    private final Entry entry;
    private final Instruction[] code;
    private final StraightCode straightCode;
    private final RegisterLayout registers;
    private final SharedLayout shared;
    private final int localBytes;

    /**
     * @param options of the machines that it was decoded for
     * @param home the only one of them that it may run on; null for all
     */
    PtxKernel(
            MachineOptions options,
            @Nullable VirtualGpu home,
            String module,
            Entry entry,
            List<Instruction> code,
            RegisterLayout registers,
            SharedLayout shared,
            int localBytes) {
        this.options = options;
        this.home = home;
        this.module = module;
        this.entry = entry;
        this.code = code.toArray(Instruction[]::new);
        straightCode = new StraightCode(this.code);
        this.registers = registers;
        this.shared = shared;
        this.localBytes = localBytes;
    }

    /** The entry's name. */
    public String name() {
        return entry.name();
    }

    /** The file it comes from, for messages. */
    public String module() {
        return module;
    }

    /** Its parameters, in order. */
    public List<Entry.Parameter> parameters() {
        return entry.parameters();
    }

    /** The most threads a block may have. */
    public int maxThreads() {
        return entry.maxThreads();
    }

    /** Shared memory that its own declarations take, in bytes. */
    public int staticSharedBytes() {
        return shared.declaredBytes();
    }

    /** Whether it was made for this machine. */
    boolean runsOn(VirtualGpu machine) {
        return home == null ? options.equals(machine.options().decisiveForDecoding()) : home.equals(machine);
    }

    /** Bytes of the parameter block. */
    int parameterBytes() {
        int bytes = 0;
        for (Entry.Parameter parameter : entry.parameters()) {
            bytes = parameter.offset() + parameter.type().bytes();
        }
        return bytes;
    }

    Instruction[] code() {
        return code;
    }

    StraightCode straightCode() {
        return straightCode;
    }

    RegisterLayout registers() {
        return registers;
    }

    SharedLayout shared() {
        return shared;
    }

    /** Local memory of one thread. */
    int localBytes() {
        return localBytes;
    }
}
