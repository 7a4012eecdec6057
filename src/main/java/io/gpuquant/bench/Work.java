package io.gpuquant.bench;

/**
 * What a kernel cannot do without.
 *
 * @param bytes moved to or from memory, each once
 * @param floatOperations multiplications and additions of float32
 * @param halfOperations multiplications and additions of half types, by matrix units where there are such
 */
public record Work(double bytes, double floatOperations, double halfOperations) {

    static final Work NONE = new Work(0, 0, 0);

    static Work ofBytes(double bytes) {
        return new Work(bytes, 0, 0);
    }

    static Work ofFloats(double operations) {
        return new Work(0, operations, 0);
    }

    static Work ofHalves(double operations) {
        return new Work(0, 0, operations);
    }

    Work plus(Work other) {
        return new Work(
                bytes + other.bytes, floatOperations + other.floatOperations, halfOperations + other.halfOperations);
    }

    /** Whether it takes longer to compute than to move. */
    public boolean isArithmetic(Rates rates) {
        return arithmeticSeconds(rates) > bytes / rates.bytesPerSecond();
    }

    /** Operations of both kinds. */
    public double operations() {
        return floatOperations + halfOperations;
    }

    /** The least time for it, with moving and computing at once. */
    public double floorSeconds(Rates rates) {
        return Math.max(bytes / rates.bytesPerSecond(), arithmeticSeconds(rates));
    }

    private double arithmeticSeconds(Rates rates) {
        return floatOperations / rates.floatsPerSecond() + halfOperations / rates.halvesPerSecond();
    }
}
