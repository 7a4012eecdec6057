package io.gpuquant.device.cuda;

import java.util.LinkedHashSet;
import java.util.List;

/**
 * What was queued on a stream since all of its work was last known to have finished. The driver reports a kernel's fault at
 * some later call, without saying which kernel it was; this list is the answer. Whichever thread meets the fault asks for it,
 * while others may still be launching.
 */
final class LaunchTrace {

    private final LinkedHashSet<Object> distinct = new LinkedHashSet<>();

    /** Adds a kernel or a product; its text is taken only if something fails. */
    synchronized void add(Object work) {
        distinct.addLast(work);
    }

    /** Forgets everything: all of it has finished. */
    synchronized void clear() {
        distinct.clear();
    }

    /** What was launched, each kernel once, the last first. */
    synchronized List<String> latestFirst() {
        return distinct.reversed().stream().map(Object::toString).toList();
    }
}
