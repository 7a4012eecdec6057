package io.gpuquant.device;

/** A moment in a stream's work, by the clock of the device. */
public interface TimeMark {

    /** Moves the mark to the end of what the stream has been given by now. */
    void move();

    /**
     * How much later this is than another mark of the same device, of any stream; waits until both have passed.
     */
    double secondsAfter(TimeMark earlier);

    /** Says that the mark will not be used again. */
    void release();

    /** A mark of a stream whose work is done before the call that queues it returns. */
    final class OfHost implements TimeMark {

        private long nanos = System.nanoTime();

        @Override
        public void move() {
            nanos = System.nanoTime();
        }

        @Override
        public double secondsAfter(TimeMark earlier) {
            return (nanos - ((OfHost) earlier).nanos) / 1e9;
        }

        @Override
        public void release() {}
    }
}
