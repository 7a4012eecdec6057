package io.gpuquant.report;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Locale;

/** Numbers for people, and for coordinates. */
final class Numbers {

    private static final double SMALLEST_PLAIN = 1e-4;
    private static final double LARGEST_PLAIN = 1e6;

    private Numbers() {}

    /** A coordinate, to hundredths. */
    static String coordinate(double value) {
        return new BigDecimal(String.format(Locale.ROOT, "%.2f", value))
                .stripTrailingZeros()
                .toPlainString();
    }

    /** A number with some significant digits, such as {@code 0.0122} or {@code 3.1×10⁻⁷}. */
    static String significant(double value, int digits) {
        if (value == 0) {
            return "0";
        }
        if (!Double.isFinite(value)) {
            return String.valueOf(value);
        }
        double magnitude = Math.abs(value);
        if (magnitude >= SMALLEST_PLAIN && magnitude < LARGEST_PLAIN) {
            return new BigDecimal(value).round(new MathContext(digits)).toPlainString();
        }
        String[] parts =
                String.format(Locale.ROOT, "%." + (digits - 1) + "e", value).split("e", -1);
        return parts[0] + "×10" + superscript(Integer.parseInt(parts[1]));
    }

    /** The label of a tick: as short as it can be. */
    static String tick(double value) {
        double magnitude = Math.abs(value);
        if (magnitude == 0 || (magnitude >= SMALLEST_PLAIN && magnitude < LARGEST_PLAIN)) {
            // Twelve digits: what lies beyond comes from adding steps up.
            return new BigDecimal(value)
                    .round(new MathContext(12))
                    .stripTrailingZeros()
                    .toPlainString();
        }
        int exponent = (int) Math.floor(Math.log10(magnitude) + 1e-9);
        long leading = Math.round(value / Math.pow(10, exponent));
        return (leading == 1 ? "10" : leading + "×10") + superscript(exponent);
    }

    /** A count with its thousands apart. */
    static String count(long value) {
        return String.format(Locale.ROOT, "%,d", value);
    }

    private static String superscript(int exponent) {
        StringBuilder raised = new StringBuilder();
        for (char c : String.valueOf(exponent).toCharArray()) {
            raised.append(c == '-' ? '⁻' : "⁰¹²³⁴⁵⁶⁷⁸⁹".charAt(c - '0'));
        }
        return raised.toString();
    }
}
