package io.gpuquant.report;

import java.util.ArrayList;
import java.util.List;

/**
 * Maps values to places along a plot, and knows where ticks go.
 *
 * @param logarithmic whether equal distances are equal quotients; all values then are positive
 * @param low the value at the start
 * @param high the value at the end
 */
record Axis(boolean logarithmic, double low, double high) {

    /** Decades up to which ticks stand at 2 and 5 as well. */
    private static final double FEW_DECADES = 1.5;

    Axis {
        if (!(low < high) || (logarithmic && low <= 0)) {
            throw new IllegalArgumentException("an axis from " + low + " to " + high);
        }
    }

    /** From zero to a little more than a value. */
    static Axis fromZero(double largest) {
        double most = largest > 0 ? largest : 1;
        double step = step(most, 4);
        return new Axis(false, 0, Math.ceil(most / step - 1e-9) * step);
    }

    /** Of whole numbers. */
    static Axis indices(int count) {
        return new Axis(false, 0, Math.max(1, count - 1));
    }

    /** From 1, 2 or 5 times a power of ten to another such number, around some positive values. */
    static Axis around(double smallest, double largest) {
        double low = roundAbove(1 / smallest);
        double high = roundAbove(largest);
        return new Axis(true, 1 / low, high > 1 / low ? high : 10 / low);
    }

    private static double roundAbove(double value) {
        return step(value, 1);
    }

    /** How far along a value is, from 0 to 1; values beyond the ends are at the ends. */
    double position(double value) {
        double share = logarithmic ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
        return Math.clamp(share, 0.0, 1.0);
    }

    /** Values for ticks, about as many as asked for. */
    List<Double> ticks(int about) {
        return logarithmic ? logarithmicTicks(about) : linearTicks(about);
    }

    private List<Double> linearTicks(int about) {
        List<Double> ticks = new ArrayList<>();
        double step = step(high - low, about);
        for (long i = Math.round(Math.ceil(low / step - 1e-9)); i * step <= high + step * 1e-9; i++) {
            ticks.add(i * step);
        }
        return ticks;
    }

    private List<Double> logarithmicTicks(int about) {
        List<Double> ticks = new ArrayList<>();
        int first = (int) Math.floor(Math.log10(low) + 1e-9);
        int last = (int) Math.ceil(Math.log10(high) - 1e-9);
        int stride = Math.max(1, Math.ceilDiv(last - first, Math.max(1, about)));
        for (int exponent = first; exponent <= last; exponent += stride) {
            for (int leading : Math.log10(high / low) <= FEW_DECADES ? new int[] {1, 2, 5} : new int[] {1}) {
                double value = leading * Math.pow(10, exponent);
                if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) {
                    ticks.add(value);
                }
            }
        }
        return ticks;
    }

    /** A step of 1, 2 or 5 times a power of ten that a length has about so many of. */
    private static double step(double length, int about) {
        double rough = length / Math.max(1, about);
        double power = Math.pow(10, Math.floor(Math.log10(rough)));
        double leading = rough / power;
        return power * (leading <= 1 ? 1 : leading <= 2 ? 2 : leading <= 5 ? 5 : 10);
    }
}
