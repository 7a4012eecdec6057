package io.gpuquant.ptx;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;

/** The kinds of machine that a kernel must run alike on. */
final class Machines {

    private static final Map<String, MachineOptions> ALL = new LinkedHashMap<>();

    static {
        MachineOptions checked = MachineOptions.checked();
        ALL.put("fast", MachineOptions.fast(1));
        ALL.put("checked", checked);
        ALL.put("checked, split warps", checked.withSplitWarps());
        ALL.put("checked, seed 1", checked.withSeed(1));
        ALL.put("checked, split warps, seed 2", checked.withSplitWarps().withSeed(2));
    }

    private Machines() {}

    /** Options by what to call them. */
    static Map<String, MachineOptions> all() {
        return ALL;
    }

    /** Those that check. */
    static Stream<MachineOptions> checked() {
        return ALL.values().stream().filter(MachineOptions::isChecked);
    }
}
