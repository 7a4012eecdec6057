package io.gpuquant.device;

/** Is told what this process does, and when. Spans of a thread lie within or after each other. */
public interface Trace {

    /** Is not interested. */
    Trace OFF = name -> Span.NONE;

    /** Begins a span on the calling thread; it ends when it is closed, by the same thread. */
    Span begin(String name);

    /** A stretch of time. */
    interface Span extends AutoCloseable {

        /** Of a trace that is not interested. */
        Span NONE = () -> {};

        @Override
        void close();
    }
}
