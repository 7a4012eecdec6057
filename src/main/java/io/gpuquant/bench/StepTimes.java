package io.gpuquant.bench;

import io.gpuquant.device.Device;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Times of named steps, added up over all stages of a layer. A step ends when the device has done its work. */
final class StepTimes {

    private static final double NANOS = 1e-9;

    /** What is known of a step. */
    private record Total(int times, double seconds, Work work) {

        Total plus(Total other) {
            return new Total(times + other.times, seconds + other.seconds, work.plus(other.work));
        }
    }

    private final Device device;
    private final Map<String, Total> totals = new LinkedHashMap<>();
    private String running = "";
    private Work work = Work.NONE;
    private long start;

    StepTimes(Device device) {
        this.device = device;
    }

    /** Measures a step. */
    void time(String step, Work newWork, Runnable action) {
        begin(step, newWork);
        action.run();
        end();
    }

    /** Ends the step that runs, if there is one, and begins another. */
    void begin(String step, Work newWork) {
        end();
        running = step;
        work = newWork;
        start = System.nanoTime();
    }

    /** Ends the step that runs, if there is one. */
    void end() {
        device.stream().synchronize();
        if (!running.isEmpty()) {
            totals.merge(running, new Total(1, (System.nanoTime() - start) * NANOS, work), Total::plus);
            running = "";
        }
    }

    List<Measurement> measurements() {
        List<Measurement> measurements = new ArrayList<>();
        totals.forEach((name, total) ->
                measurements.add(new Measurement(name, total.times + " times", total.seconds, total.work)));
        return measurements;
    }
}
