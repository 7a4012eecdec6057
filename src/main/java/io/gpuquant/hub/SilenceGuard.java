package io.gpuquant.hub;

import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;

/** Closes a stream that gives nothing for too long, so that whoever waits for it gets an error; else it would wait forever. */
final class SilenceGuard implements AutoCloseable {

    private final InputStream stream;
    private final Duration most;
    private final Thread watch;
    private volatile long heard = System.nanoTime();

    SilenceGuard(InputStream stream, Duration most) {
        this.stream = stream;
        this.most = most;
        watch = Thread.ofVirtual().start(this::watch);
    }

    /** Something was heard. */
    void heard() {
        heard = System.nanoTime();
    }

    private void watch() {
        try {
            while (System.nanoTime() - heard < most.toNanos()) {
                Thread.sleep(most.dividedBy(4));
            }
            stream.close();
        } catch (InterruptedException ended) {
            // The stream was read to its end.
        } catch (IOException alreadyBroken) {
            // The reader hears of it by itself.
        }
    }

    @Override
    public void close() {
        watch.interrupt();
    }
}
