package io.gpuquant.job;

/** Waiting for a thread that must not be left behind, whoever interrupts the wait. */
final class PatientJoin {

    private PatientJoin() {}

    /** Returns when the thread has ended; an interruption that came meanwhile is set again. */
    static void join(Thread thread) {
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException interruption) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
