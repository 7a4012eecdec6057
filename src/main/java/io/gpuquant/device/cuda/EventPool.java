package io.gpuquant.device.cuda;

import java.lang.ref.Cleaner;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;

/**
 * The driver's events, reused: an event may be recorded anew while work still waits for what it marked before, since a wait
 * holds on to the mark and not to the event.
 */
final class EventPool {

    private static final Cleaner CLEANER = Cleaner.create();

    private final CudaContext context;
    private final List<CUevent> created = Collections.synchronizedList(new ArrayList<>());
    private final Queue<CUevent> free = new ConcurrentLinkedQueue<>();
    private final Queue<CUevent> freeTimed = new ConcurrentLinkedQueue<>();

    EventPool(CudaContext context) {
        this.context = context;
    }

    /** An event that marks the end of what the stream has been given; {@link #giveBack} it when it is not needed. */
    CUevent record(CUstream stream) {
        return record(stream, null);
    }

    /** The same, reusing {@code event} if there is one. */
    CUevent record(CUstream stream, @Nullable CUevent event) {
        CUevent recorded = event == null ? take() : event;
        context.check(JCudaDriver.cuEventRecord(recorded, stream), "marking a point in a stream");
        return recorded;
    }

    /** An event with a time stamp. */
    record Timed(CUevent handle, Queue<CUevent> owner) {

        void giveBack() {
            owner.add(handle);
        }
    }

    /** An event that gets a time stamp when it is recorded. */
    Timed takeTimed() {
        CUevent reused = freeTimed.poll();
        return new Timed(reused == null ? create(CUevent_flags.CU_EVENT_DEFAULT) : reused, freeTimed);
    }

    void giveBack(CUevent event) {
        free.add(event);
    }

    /** Gives the event back when {@code owner} is garbage; the driver is not called then, so any thread may do it. */
    void giveBackWith(Object owner, CUevent event) {
        Queue<CUevent> target = free;
        CLEANER.register(owner, () -> target.add(event));
    }

    private CUevent take() {
        CUevent reused = free.poll();
        if (reused != null) {
            return reused;
        }
        return create(CUevent_flags.CU_EVENT_DISABLE_TIMING);
    }

    private CUevent create(int flags) {
        CUevent event = new CUevent();
        context.check(JCudaDriver.cuEventCreate(event, flags), "creating an event");
        created.add(event);
        return event;
    }

    /** Destroys every event. */
    void close() {
        created.forEach(event -> context.checkRelease(JCudaDriver.cuEventDestroy(event), "destroying an event"));
        created.clear();
        free.clear();
        freeTimed.clear();
    }
}
