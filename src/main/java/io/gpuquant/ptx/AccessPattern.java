package io.gpuquant.ptx;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/** How well the addresses of a warp fit the memory: sectors of global memory touched, passes over the shared banks. */
final class AccessPattern {

    private static final int SECTOR_BYTES = 32;
    private static final int BANKS = 32;
    private static final int BANK_BYTES = 4;
    private static final int PASS_BYTES = BANKS * BANK_BYTES;

    private AccessPattern() {}

    /** Counts an access, where statistics are kept. */
    static void count(Warp warp, int mask, MemorySpace space, AddressSource source, int bytes) {
        LaunchStatistics statistics = warp.block().statistics();
        if (statistics == null) {
            return;
        }
        if (space == MemorySpace.GLOBAL) {
            int ideal = (Integer.bitCount(mask) * bytes + SECTOR_BYTES - 1) / SECTOR_BYTES;
            statistics.countGlobal(sectors(warp, mask, source, bytes), ideal);
        } else if (space == MemorySpace.SHARED) {
            statistics.countShared(passes(warp, mask, source, bytes));
        }
    }

    private static int sectors(Warp warp, int mask, AddressSource source, int bytes) {
        Set<Long> sectors = new HashSet<>();
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            long address = source.address(warp, Integer.numberOfTrailingZeros(rest));
            for (long at = address / SECTOR_BYTES; at <= (address + bytes - 1) / SECTOR_BYTES; at++) {
                sectors.add(at);
            }
        }
        return sectors.size();
    }

    /** Wide accesses are served by parts of the warp that fill the banks once; in each part a bank serves one word a pass. */
    private static int passes(Warp warp, int mask, AddressSource source, int bytes) {
        int lanesPerPart = Math.max(1, Math.min(Operation.LANES, PASS_BYTES / bytes));
        int passes = 0;
        for (int first = 0; first < Operation.LANES; first += lanesPerPart) {
            Map<Integer, Set<Long>> wordsByBank = new HashMap<>();
            for (int lane = first; lane < first + lanesPerPart; lane++) {
                if ((mask >>> lane & 1) != 0) {
                    long address = source.address(warp, lane);
                    for (long word = address / BANK_BYTES; word <= (address + bytes - 1) / BANK_BYTES; word++) {
                        wordsByBank
                                .computeIfAbsent((int) (word % BANKS), bank -> new HashSet<>())
                                .add(word);
                    }
                }
            }
            passes += wordsByBank.values().stream().mapToInt(Set::size).max().orElse(0);
        }
        return passes;
    }
}
