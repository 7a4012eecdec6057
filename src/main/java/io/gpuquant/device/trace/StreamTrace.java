package io.gpuquant.device.trace;

import io.gpuquant.device.Stream;
import io.gpuquant.device.TimeMark;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The row of a stream: pieces of work that a thread queues one after the other under the same name are one span. A stream may
 * be used by two threads at once, by one that reads weights ahead and by one that computes.
 */
final class StreamTrace {

    /** Spans whose times are asked for only later, so that nobody waits for work that was just queued. */
    private static final int MOST_PENDING = 2048;

    /** The beginning of a timeline: the same moment by the clock of the device and by that of this process. */
    record Origin(TimeMark mark, long nanos) {

        static Origin now(Stream stream) {
            stream.synchronize();
            return new Origin(stream.mark(), System.nanoTime());
        }
    }

    private static final class Group {
        private final String name;
        private final String category;
        private final TimeMark start;
        private final TimeMark end;
        private int count = 1;

        Group(String name, String category, TimeMark start, TimeMark end) {
            this.name = name;
            this.category = category;
            this.start = start;
            this.end = end;
        }
    }

    private final ChromeTrace trace;
    private final String track;
    private final Origin origin;
    private final Stream stream;
    private final Deque<Group> pending = new ArrayDeque<>();

    /** The span that each thread may still add to. */
    private final Map<Thread, Group> open = new HashMap<>();

    StreamTrace(ChromeTrace trace, String track, Origin origin, Stream stream) {
        this.trace = trace;
        this.track = track;
        this.origin = origin;
        this.stream = stream;
    }

    /** Has work queued, and notes when it runs. */
    void note(String name, String category, Runnable work) {
        Group group = continued(name);
        if (group != null) {
            work.run();
            group.end.move();
            group.count++;
            return;
        }
        TimeMark start = stream.mark();
        work.run();
        add(new Group(name, category, start, stream.mark()));
    }

    /** The span that this thread adds to, if its name is this; ends it if not. */
    private synchronized @Nullable Group continued(String name) {
        Group group = open.get(Thread.currentThread());
        if (group != null && !group.name.equals(name)) {
            interrupt();
            return null;
        }
        return group;
    }

    private synchronized void add(Group group) {
        open.put(Thread.currentThread(), group);
        while (pending.size() > MOST_PENDING) {
            resolve(pending.removeFirst());
        }
    }

    /** Ends the span that is open for this thread. */
    synchronized void interrupt() {
        Group group = open.remove(Thread.currentThread());
        if (group != null) {
            pending.add(group);
        }
    }

    /** Notes everything; waits until it has run. */
    synchronized void finish() {
        pending.addAll(open.values());
        open.clear();
        while (!pending.isEmpty()) {
            resolve(pending.removeFirst());
        }
    }

    private void resolve(Group group) {
        double start = group.start.secondsAfter(origin.mark());
        double seconds = group.end.secondsAfter(group.start);
        trace.add(
                track,
                group.name,
                group.category,
                origin.nanos() + (long) (start * 1e9),
                (long) (seconds * 1e9),
                group.count);
        group.start.release();
        group.end.release();
    }
}
