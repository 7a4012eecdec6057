package io.gpuquant.bench;

import io.gpuquant.device.Device;

/** Measures how long a device takes. */
final class Clock {

    private static final double NANOS = 1e-9;
    private static final int MOST_REPETITIONS = 200;

    private final Device device;
    private final double seconds;
    private final int rounds;

    /**
     * @param seconds how long one measurement should take, so that it is longer than what starting work costs
     * @param rounds how many measurements the best is taken of
     */
    Clock(Device device, double seconds, int rounds) {
        this.device = device;
        this.seconds = seconds;
        this.rounds = rounds;
    }

    /** Seconds of one run of some queued work, the best of several measurements of many runs, after one that loads code. */
    double seconds(Runnable work) {
        once(work);
        double first = once(work);
        int repetitions = (int) Math.clamp(seconds / Math.max(first, NANOS), 1, MOST_REPETITIONS);
        double best = first;
        for (int round = 0; round < rounds; round++) {
            best = Math.min(best, once(() -> repeat(work, repetitions)) / repetitions);
        }
        return best;
    }

    private static void repeat(Runnable work, int repetitions) {
        for (int i = 0; i < repetitions; i++) {
            work.run();
        }
    }

    /** Seconds of one run. */
    double once(Runnable work) {
        device.stream().synchronize();
        long start = System.nanoTime();
        work.run();
        device.stream().synchronize();
        return Math.max(System.nanoTime() - start, 1) * NANOS;
    }
}
