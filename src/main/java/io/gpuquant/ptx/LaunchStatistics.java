package io.gpuquant.ptx;

import java.util.Map;
import java.util.TreeMap;

/** What a checked machine counted while a kernel ran: the free part of a performance review. */
public final class LaunchStatistics {

    private final Map<String, Long> byMnemonic = new TreeMap<>();
    private long globalRequests;
    private long globalSectors;
    private long globalIdealSectors;
    private long sharedRequests;
    private long sharedWavefronts;

    void countInstruction(String mnemonic) {
        byMnemonic.merge(mnemonic, 1L, Long::sum);
    }

    void countGlobal(int sectors, int idealSectors) {
        globalRequests++;
        globalSectors += sectors;
        globalIdealSectors += idealSectors;
    }

    void countShared(int wavefronts) {
        sharedRequests++;
        sharedWavefronts += wavefronts;
    }

    /** Warp instructions by opcode with modifiers. */
    public Map<String, Long> instructions() {
        return Map.copyOf(byMnemonic);
    }

    /** Warp-wide loads and stores of global memory. */
    public long globalRequests() {
        return globalRequests;
    }

    /** 32-byte sectors those touched. */
    public long globalSectors() {
        return globalSectors;
    }

    /** Sectors the same bytes would fill if they lay side by side. */
    public long globalIdealSectors() {
        return globalIdealSectors;
    }

    /** Warp-wide loads and stores of shared memory. */
    public long sharedRequests() {
        return sharedRequests;
    }

    /** Passes those took over the 32 banks; more than needed where lanes meet in a bank. */
    public long sharedWavefronts() {
        return sharedWavefronts;
    }
}
