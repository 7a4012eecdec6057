package io.gpuquant.device.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WorkerThreadsTest {

    @ParameterizedTest
    @CsvSource({"1, 0", "1, 5", "2, 1", "3, 100", "8, 3", "200, 1000"})
    void callsTheBodyOnceForEveryIndex(int threads, int count) {
        AtomicIntegerArray calls = new AtomicIntegerArray(Math.max(1, count));
        try (WorkerThreads workers = new WorkerThreads(threads)) {
            workers.forEach(count, calls::incrementAndGet);
        }

        for (int i = 0; i < count; i++) {
            assertThat(calls.get(i)).isEqualTo(1);
        }
    }

    @Test
    void isReusable() {
        AtomicInteger sum = new AtomicInteger();
        try (WorkerThreads workers = new WorkerThreads(2)) {
            for (int round = 0; round < 50; round++) {
                workers.forEach(10, sum::addAndGet);
            }
        }

        assertThat(sum).hasValue(50 * 45);
    }

    @Test
    void reportsAFailureOfAHelper() {
        Thread caller = Thread.currentThread();
        CountDownLatch helperFailed = new CountDownLatch(1);
        try (WorkerThreads workers = new WorkerThreads(2)) {
            assertThatThrownBy(() -> workers.forEach(2, index -> {
                        if (Thread.currentThread().equals(caller)) {
                            awaitQuietly(helperFailed);
                        } else {
                            helperFailed.countDown();
                            throw new IllegalArgumentException("a bad tile");
                        }
                    }))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage("a matrix product failed")
                    .hasRootCauseMessage("a bad tile");
        }
    }

    /** The caller frees the operands after a failure; nobody may be reading them then. */
    @Test
    void waitsForItsHelpersEvenIfTheCallerFails() {
        Thread caller = Thread.currentThread();
        CountDownLatch helperRuns = new CountDownLatch(1);
        AtomicBoolean helperIsDone = new AtomicBoolean();
        try (WorkerThreads workers = new WorkerThreads(2)) {
            assertThatThrownBy(() -> workers.forEach(2, index -> {
                        if (Thread.currentThread().equals(caller)) {
                            awaitQuietly(helperRuns);
                            throw new IllegalArgumentException("a bad tile");
                        }
                        helperRuns.countDown();
                        pause();
                        helperIsDone.set(true);
                    }))
                    .hasMessage("a bad tile");
        }
        assertThat(helperIsDone).isTrue();
    }

    @Test
    void finishesWhenItIsInterruptedAndSaysSo() {
        Thread caller = Thread.currentThread();
        CountDownLatch helperRuns = new CountDownLatch(1);
        AtomicBoolean helperIsDone = new AtomicBoolean();
        try (WorkerThreads workers = new WorkerThreads(2)) {
            workers.forEach(2, index -> {
                if (Thread.currentThread().equals(caller)) {
                    awaitQuietly(helperRuns);
                    caller.interrupt();
                } else {
                    helperRuns.countDown();
                    pause();
                    helperIsDone.set(true);
                }
            });
        }

        assertThat(Thread.interrupted()).isTrue();
        assertThat(helperIsDone).isTrue();
    }

    private static void pause() {
        try {
            Thread.sleep(50);
        } catch (InterruptedException interruption) {
            throw new IllegalStateException(interruption);
        }
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException interruption) {
            throw new IllegalStateException(interruption);
        }
    }
}
