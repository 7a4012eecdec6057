package io.gpuquant.ptx;

import java.util.Map;
import java.util.TreeMap;

/** What a checked machine counted while a kernel ran: the free part of a performance review. */
public final class LaunchStatistics {

    private final Instruction[] code;
    private final long[] executions;
    private final AccessPattern pattern = new AccessPattern();
    private long globalRequests;
    private long globalSectors;
    private long globalIdealSectors;
    private long sharedRequests;
    private long sharedWavefronts;
    private long sharedIdealWavefronts;

    /**
     * @param code of the kernel that runs
     */
    LaunchStatistics(Instruction[] code) {
        this.code = code;
        executions = new long[code.length];
    }

    void countInstruction(int instruction) {
        executions[instruction]++;
    }

    /** Counts an access of lanes to global memory. */
    void countGlobal(int mask, long[] addresses, int bytes) {
        if (mask != 0) {
            globalRequests++;
            globalSectors += pattern.sectors(mask, addresses, bytes);
            globalIdealSectors += AccessPattern.idealSectors(mask, bytes);
        }
    }

    /** Counts an access of lanes to shared memory. */
    void countShared(int mask, long[] addresses, int bytes) {
        if (mask != 0) {
            sharedRequests++;
            sharedWavefronts += pattern.passes(mask, addresses, bytes);
            sharedIdealWavefronts += AccessPattern.idealPasses(mask, bytes);
        }
    }

    /** Warp instructions by opcode with modifiers. */
    public Map<String, Long> instructions() {
        Map<String, Long> byMnemonic = new TreeMap<>();
        for (int i = 0; i < code.length; i++) {
            if (executions[i] > 0) {
                byMnemonic.merge(code[i].mnemonic(), executions[i], Long::sum);
            }
        }
        return byMnemonic;
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

    /** Passes the same accesses would take if no two lanes met in a bank. */
    public long sharedIdealWavefronts() {
        return sharedIdealWavefronts;
    }
}
