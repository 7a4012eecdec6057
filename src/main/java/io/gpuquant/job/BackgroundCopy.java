package io.gpuquant.job;

import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/** A thread that writes tensors which need no device, while the devices work. */
final class BackgroundCopy implements AutoCloseable {

    private final FutureTask<Map<String, Long>> task;
    private final Thread thread;

    /**
     * Starts it.
     *
     * @param copying writes, and returns the checksum of each tensor
     */
    BackgroundCopy(Callable<Map<String, Long>> copying) {
        task = new FutureTask<>(copying);
        thread = Thread.ofPlatform().daemon().name("copy").start(task);
    }

    /** Fails if it has failed by now. */
    void check() {
        if (task.isDone()) {
            checksums();
        }
    }

    /** Waits for the end, and fails if it failed. */
    Map<String, Long> checksums() {
        try {
            return task.get();
        } catch (ExecutionException failure) {
            switch (failure.getCause()) {
                case RuntimeException cause -> throw cause;
                case Error cause -> throw cause;
                case null, default -> throw new IllegalStateException("copying failed", failure);
            }
        } catch (InterruptedException interruption) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while copying", interruption);
        }
    }

    /** Waits until it writes nothing more. It is not interrupted: that would close the file that it writes to. */
    @Override
    public void close() {
        PatientJoin.join(thread);
    }
}
