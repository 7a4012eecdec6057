package io.gpuquant.report;

import java.util.List;

/** One number of each checkpoint as horizontal bars from zero, names above and values beside them. */
final class BarPlot {

    private static final double ROW = 40;
    private static final double BAR = 14;
    private static final double LABEL = 92;
    private static final int LONGEST_NAME = 48;

    private BarPlot() {}

    /** A bar. @param color the number of its checkpoint */
    record Bar(int color, String name, double value, String label) {}

    /** Draws bars. */
    static void draw(Markup svg, String description, List<Bar> bars) {
        double most = bars.stream().mapToDouble(Bar::value).max().orElse(0);
        double room = Frame.WIDTH - LABEL;
        Frame.openDrawing(svg, description, ROW * bars.size() + 4);
        for (int i = 0; i < bars.size(); i++) {
            Bar bar = bars.get(i);
            double top = i * ROW;
            double width = most > 0 ? Math.max(0, bar.value) / most * room : 0;
            svg.open("g", "class", Palette.of(bar.color));
            svg.leaf("text", shortened(bar.name), "class", "label", "x", 0.0, "y", top + 14);
            svg.open("rect", "class", "track", "x", 0.0, "y", top + 20, "width", room, "height", BAR, "rx", 3.0)
                    .close();
            svg.shape(
                    "rect",
                    bar.name + ": " + bar.label,
                    "class",
                    "bar",
                    "x",
                    0.0,
                    "y",
                    top + 20,
                    "width",
                    Math.max(2, width),
                    "height",
                    BAR,
                    "rx",
                    3.0);
            svg.leaf("text", bar.label, "class", "value", "x", room + 8, "y", top + 32);
            svg.close();
        }
        svg.close();
    }

    /** Names of folders are told apart by their ends. */
    static String shortened(String name) {
        return name.length() <= LONGEST_NAME ? name : "…" + name.substring(name.length() - LONGEST_NAME + 1);
    }
}
