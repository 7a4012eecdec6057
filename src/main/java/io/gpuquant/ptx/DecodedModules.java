package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxFile;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Modules that are decoded once for all machines of this process that run kernels alike. Decoding takes longer than most
 * launches, and so does what follows: HotSpot has to compile anew what belongs to another decoded kernel.
 */
final class DecodedModules {

    /** More than the product has files of kernels. */
    private static final int MOST = 64;

    private record Key(String name, String text, MachineOptions options) {}

    /** Those that were asked for last. */
    private static final Map<Key, PtxModule> DECODED = new LinkedHashMap<>(MOST, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Key, PtxModule> eldest) {
            return size() > MOST;
        }
    };

    private DecodedModules() {}

    /** The module of a PTX text, on a machine of its own where it has variables in the memory of that machine. */
    static PtxModule of(String name, String text, VirtualGpu machine) {
        Key key = new Key(name, text, machine.options().decisiveForDecoding());
        // Whoever asks for the same meanwhile is better served by waiting.
        synchronized (DECODED) {
            PtxModule known = DECODED.get(key);
            if (known != null) {
                return known;
            }
            PtxModule module = new PtxModule(PtxFile.parse(name, text), machine);
            if (module.home() == null) {
                DECODED.put(key, module);
            }
            return module;
        }
    }
}
