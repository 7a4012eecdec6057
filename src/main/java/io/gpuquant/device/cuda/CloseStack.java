package io.gpuquant.device.cuda;

import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/** What has to be undone, in the opposite order; each step is taken whatever became of the others. */
final class CloseStack implements AutoCloseable {

    private final Deque<Runnable> steps = new ArrayDeque<>();

    void push(Runnable step) {
        steps.push(step);
    }

    /** Takes every step, once; the first failure is thrown and carries the others. */
    @Override
    public void close() {
        RuntimeException first = null;
        while (!steps.isEmpty()) {
            first = take(steps.pop(), first);
        }
        if (first != null) {
            throw first;
        }
    }

    private static @Nullable RuntimeException take(Runnable step, @Nullable RuntimeException earlier) {
        try {
            step.run();
            return earlier;
        } catch (RuntimeException e) {
            if (earlier == null) {
                return e;
            }
            earlier.addSuppressed(e);
            return earlier;
        }
    }
}
