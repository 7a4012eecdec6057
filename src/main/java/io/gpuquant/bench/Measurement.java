package io.gpuquant.bench;

/**
 * How long something took.
 *
 * @param name a kernel, or a step of a layer
 * @param shape what it worked on
 * @param seconds of one run
 */
public record Measurement(String name, String shape, double seconds, Work work) {

    /** How many times the floor it took; zero where there is none. */
    public double ratio(Rates rates) {
        double floor = work.floorSeconds(rates);
        return floor > 0 ? seconds / floor : 0;
    }
}
