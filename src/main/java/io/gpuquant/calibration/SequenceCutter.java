package io.gpuquant.calibration;

import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Cuts a stream of token ids, given piece by piece, into consecutive sequences of one length. */
final class SequenceCutter {

    private final int length;
    private final Consumer<int[]> sink;
    private int[] current;
    private int filled;
    private int @Nullable [] last;
    private long tokens;

    /**
     * @param length tokens of a sequence
     * @param sink is given every sequence as soon as it is full, and may keep it
     */
    SequenceCutter(int length, Consumer<int[]> sink) {
        this.length = length;
        this.sink = sink;
        this.current = new int[length];
    }

    void append(int[] ids) {
        tokens += ids.length;
        int taken = 0;
        while (taken < ids.length) {
            int count = Math.min(ids.length - taken, length - filled);
            System.arraycopy(ids, taken, current, filled, count);
            taken += count;
            filled += count;
            if (filled == length) {
                sink.accept(current);
                last = current;
                current = new int[length];
                filled = 0;
            }
        }
    }

    /** Tokens given so far. */
    long tokens() {
        return tokens;
    }

    /** Tokens after the last full sequence. */
    int tail() {
        return filled;
    }

    /**
     * The last {@code length} tokens of the stream, which overlap the last full sequence; nothing when there is no tail, or
     * no full sequence before it.
     */
    Optional<int[]> overlappingTail() {
        int[] before = last;
        if (filled == 0 || before == null) {
            return Optional.empty();
        }
        int[] ids = new int[length];
        System.arraycopy(before, filled, ids, 0, length - filled);
        System.arraycopy(current, 0, ids, length - filled, filled);
        return Optional.of(ids);
    }
}
