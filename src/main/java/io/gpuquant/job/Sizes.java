package io.gpuquant.job;

import java.util.Locale;

/** Byte counts for people. */
public final class Sizes {

    private static final String[] UNITS = {"B", "KB", "MB", "GB", "TB"};
    private static final double STEP = 1000;

    private Sizes() {}

    /** A count in decimal units, such as {@code 7.35 MB}. */
    public static String format(long bytes) {
        double value = bytes;
        int unit = 0;
        while (value >= STEP && unit < UNITS.length - 1) {
            value /= STEP;
            unit++;
        }
        return unit == 0 ? bytes + " B" : String.format(Locale.ROOT, "%.3g %s", value, UNITS[unit]);
    }
}
