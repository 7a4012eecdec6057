package io.gpuquant.report;

import io.gpuquant.evaluate.MagnitudeHistogram;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Distributions of magnitudes as lines: how large a share of all numbers lies in each quarter of an octave. */
final class Histograms {

    /** Shares of the numbers at either end that may lie beyond the axis. */
    private static final double TAIL = 5e-4;

    private static final double HEIGHT = 210;

    private Histograms() {}

    /** A distribution. @param what the numbers are, for titles */
    record Distribution(int color, String what, MagnitudeHistogram histogram) {

        private double share(int bin) {
            return (double) histogram.count(bin) / histogram.total();
        }

        private double log2(int bin) {
            return (histogram.lowerLog2(bin) + histogram.lowerLog2(bin + 1)) / 2;
        }

        /** The first bin that a share of the numbers has been reached with. */
        private int quantile(double share) {
            double sum = 0;
            long counted = histogram.total() - histogram.zeros();
            for (int bin = 0; bin < histogram.bins(); bin++) {
                sum += histogram.count(bin);
                if (sum > share * counted) {
                    return bin;
                }
            }
            return histogram.bins() - 1;
        }

        private boolean isEmpty() {
            return histogram.total() == histogram.zeros();
        }

        private LinePlot.Line line(Axis x) {
            List<LinePlot.Point> points = new ArrayList<>();
            for (int bin = 0; bin < histogram.bins(); bin++) {
                double center = Math.pow(2, log2(bin));
                if (center >= x.low() && center <= x.high()) {
                    String title = what + " of about " + Numbers.significant(center, 2) + ": "
                            + Numbers.significant(100 * share(bin), 3) + " % ("
                            + Numbers.count(histogram.count(bin)) + ")";
                    points.add(new LinePlot.Point(center, 100 * share(bin), title));
                }
            }
            return new LinePlot.Line(color, true, points);
        }
    }

    /** Draws distributions over each other; false when there is nothing to draw. */
    static boolean draw(Markup svg, String description, String xTitle, List<Distribution> all) {
        List<Distribution> drawn =
                all.stream().filter(distribution -> !distribution.isEmpty()).toList();
        Optional<Axis> x = axis(drawn);
        if (x.isEmpty()) {
            return false;
        }
        List<LinePlot.Line> lines =
                drawn.stream().map(distribution -> distribution.line(x.get())).toList();
        double most = lines.stream()
                .flatMap(line -> line.points().stream())
                .mapToDouble(LinePlot.Point::y)
                .max()
                .orElse(1);
        LinePlot.draw(svg, new Frame(HEIGHT, x.get(), Axis.fromZero(most)), description, xTitle, lines);
        return true;
    }

    private static Optional<Axis> axis(List<Distribution> drawn) {
        if (drawn.isEmpty()) {
            return Optional.empty();
        }
        double low = Double.MAX_VALUE;
        double high = -Double.MAX_VALUE;
        for (Distribution distribution : drawn) {
            low = Math.min(low, distribution.log2(distribution.quantile(TAIL)) - 1);
            high = Math.max(high, distribution.log2(distribution.quantile(1 - TAIL)) + 1);
        }
        return Optional.of(new Axis(true, Math.pow(2, low), Math.pow(2, high)));
    }
}
