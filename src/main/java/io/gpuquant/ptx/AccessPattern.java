package io.gpuquant.ptx;

import java.util.Arrays;

/** How well the addresses of a warp fit the memory: sectors of global memory touched, passes over the shared banks. */
final class AccessPattern {

    private static final int SECTOR_BYTES = 32;
    private static final int BANKS = 32;
    private static final int BANK_BYTES = 4;
    private static final int PASS_BYTES = BANKS * BANK_BYTES;

    /** The most words that an access of 16 bytes touches, when it is not even aligned. */
    private static final int UNITS_PER_LANE = 5;

    private final long[] units = new long[Operation.LANES * UNITS_PER_LANE];
    private final int[] wordsOfBank = new int[BANKS];

    /** The fewest sectors that hold what lanes access. */
    static int idealSectors(int mask, int bytes) {
        return (Integer.bitCount(mask) * bytes + SECTOR_BYTES - 1) / SECTOR_BYTES;
    }

    /** The sectors that lanes touch. */
    int sectors(int mask, long[] addresses, int bytes) {
        return distinct(mask, addresses, bytes, SECTOR_BYTES);
    }

    /** The fewest passes over the banks: one for each part of the warp that has lanes. */
    static int idealPasses(int mask, int bytes) {
        int lanesPerPart = lanesPerPart(bytes);
        int passes = 0;
        for (int first = 0; first < Operation.LANES; first += lanesPerPart) {
            passes += (mask & partMask(lanesPerPart) << first) != 0 ? 1 : 0;
        }
        return passes;
    }

    private static int lanesPerPart(int bytes) {
        return Math.clamp(PASS_BYTES / bytes, 1, Operation.LANES);
    }

    private static int partMask(int lanesPerPart) {
        return lanesPerPart == Operation.LANES ? Operation.ALL_LANES : (1 << lanesPerPart) - 1;
    }

    /** Wide accesses are served by parts of the warp that fill the banks once; in each part a bank serves one word a pass. */
    int passes(int mask, long[] addresses, int bytes) {
        int lanesPerPart = lanesPerPart(bytes);
        int partMask = partMask(lanesPerPart);
        int passes = 0;
        for (int first = 0; first < Operation.LANES; first += lanesPerPart) {
            int part = mask & partMask << first;
            if (part != 0) {
                int words = distinct(part, addresses, bytes, BANK_BYTES);
                passes += largestShareOfABank(words);
            }
        }
        return passes;
    }

    /** Collects the aligned pieces of a size that lanes touch, each once; returns their number. */
    private int distinct(int mask, long[] addresses, int bytes, int unitBytes) {
        int count = 0;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            long address = addresses[Integer.numberOfTrailingZeros(rest)];
            long last = (address + bytes - 1) / unitBytes;
            for (long unit = address / unitBytes; unit <= last; unit++) {
                // Addresses mostly ascend, so a new piece lies above all others, or is the last one again.
                boolean known =
                        count > 0 && unit <= units[count - 1] && Arrays.binarySearch(units, 0, count, unit) >= 0;
                if (!known) {
                    insert(unit, count++);
                }
            }
        }
        return count;
    }

    private void insert(long unit, int count) {
        int at = count;
        while (at > 0 && units[at - 1] > unit) {
            units[at] = units[at - 1];
            at--;
        }
        units[at] = unit;
    }

    private int largestShareOfABank(int words) {
        Arrays.fill(wordsOfBank, 0);
        int largest = 0;
        for (int i = 0; i < words; i++) {
            int bank = (int) (units[i] % BANKS);
            largest = Math.max(largest, ++wordsOfBank[bank]);
        }
        return largest;
    }
}
