package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.gpuquant.ResourceException;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

class BackgroundCopyTest {

    @Test
    void isWaitedForAtTheEndOnly() {
        CountDownLatch checked = new CountDownLatch(1);
        try (BackgroundCopy copy = new BackgroundCopy(() -> {
            checked.await();
            return Map.of("lm_head.weight", 7L);
        })) {
            copy.check();
            checked.countDown();
            assertThat(copy.checksums()).isEqualTo(Map.of("lm_head.weight", 7L));
            copy.check();
        }
    }

    @Test
    void failsAsTheCopyDid() throws InterruptedException {
        CountDownLatch ended = new CountDownLatch(1);
        try (BackgroundCopy copy = new BackgroundCopy(() -> {
            ended.countDown();
            throw new ResourceException("the disk is full");
        })) {
            ended.await();
            assertThatExceptionOfType(ResourceException.class)
                    .isThrownBy(copy::checksums)
                    .withMessage("the disk is full");
            assertThatExceptionOfType(ResourceException.class).isThrownBy(copy::check);
        }
        try (BackgroundCopy copy = new BackgroundCopy(() -> {
            throw new IOException("no such kind");
        })) {
            assertThatExceptionOfType(IllegalStateException.class)
                    .isThrownBy(copy::checksums)
                    .withMessage("copying failed");
        }
    }

    /** Whoever deletes the output must not meet a thread that still writes to it. */
    @Test
    void isOverWhenItIsClosedAlsoWhereTheCloserIsInterrupted() {
        CountDownLatch closing = new CountDownLatch(1);
        AtomicBoolean over = new AtomicBoolean();
        BackgroundCopy copy = new BackgroundCopy(() -> {
            closing.await();
            over.set(true);
            return Map.of();
        });
        Thread.currentThread().interrupt();
        assertThatExceptionOfType(IllegalStateException.class)
                .isThrownBy(copy::checksums)
                .withMessage("interrupted while copying");
        closing.countDown();
        copy.close();
        assertThat(over).isTrue();
        assertThat(Thread.interrupted()).isTrue();
    }
}
