package io.gpuquant.device.host;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;

/** A fixed number of threads, the caller's among them, that share the indices of a loop. */
final class WorkerThreads implements AutoCloseable {

    /** OpenBLAS keeps work space for this many callers at once. */
    private static final int MOST = 64;

    private final ExecutorService helpers;
    private final int threads;

    WorkerThreads(int threads) {
        this.threads = Math.min(threads, MOST);
        helpers = Executors.newFixedThreadPool(Math.max(1, this.threads - 1), task -> {
            Thread thread = new Thread(task, "blas");
            thread.setDaemon(true);
            return thread;
        });
    }

    /** Calls {@code body} for every index below {@code count}, in any order, and waits. */
    void forEach(int count, IntConsumer body) {
        AtomicInteger next = new AtomicInteger();
        Runnable work = () -> {
            for (int i = next.getAndIncrement(); i < count; i = next.getAndIncrement()) {
                body.accept(i);
            }
        };
        List<Future<?>> running = new ArrayList<>();
        for (int i = 1; i < Math.min(threads, count); i++) {
            running.add(helpers.submit(work));
        }
        try {
            work.run();
        } finally {
            // Whatever happens, nobody may work on memory that the caller thinks is done with.
            running.forEach(WorkerThreads::awaitEnd);
        }
        for (Future<?> helper : running) {
            if (helper.state() == Future.State.FAILED) {
                throw new IllegalStateException("a matrix product failed", helper.exceptionNow());
            }
        }
    }

    private static void awaitEnd(Future<?> helper) {
        boolean interrupted = false;
        while (true) {
            try {
                helper.get();
                break;
            } catch (ExecutionException failure) {
                break;
            } catch (InterruptedException interruption) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        helpers.shutdown();
    }
}
