package io.gpuquant.report;

/**
 * The rectangle of a plot that its axes enclose, in a drawing as wide as a phone.
 *
 * @param height of the rectangle
 * @param x the axis along the bottom
 * @param y the axis along the left
 */
record Frame(double height, Axis x, Axis y) {

    /** The width of every drawing: shown at about its size, on a phone as in a column of a wide page. */
    static final double WIDTH = 400;

    private static final double LEFT = 52;
    private static final double RIGHT = 14;
    private static final double TOP = 10;
    private static final double BOTTOM = 40;
    private static final int TICKS = 5;

    double x(double value) {
        return LEFT + x.position(value) * (WIDTH - LEFT - RIGHT);
    }

    double y(double value) {
        return TOP + (1 - y.position(value)) * height;
    }

    double bottom() {
        return TOP + height;
    }

    /** Begins a drawing with axes, grid lines and their labels. */
    void open(Markup svg, String description, String xTitle) {
        openDrawing(svg, description, TOP + height + BOTTOM);
        for (double tick : y.ticks(TICKS)) {
            svg.open("line", "class", "grid", "x1", LEFT, "x2", WIDTH - RIGHT, "y1", y(tick), "y2", y(tick))
                    .close();
            svg.leaf("text", Numbers.tick(tick), "class", "tick end", "x", LEFT - 6, "y", y(tick) + 4);
        }
        for (double tick : x.ticks(TICKS + 1)) {
            if (x.logarithmic() || tick == Math.rint(tick)) {
                svg.open("line", "class", "axis", "x1", x(tick), "x2", x(tick), "y1", bottom(), "y2", bottom() + 4)
                        .close();
                svg.leaf("text", Numbers.tick(tick), "class", "tick middle", "x", x(tick), "y", bottom() + 17);
            }
        }
        svg.open("line", "class", "axis", "x1", LEFT, "x2", WIDTH - RIGHT, "y1", bottom(), "y2", bottom())
                .close();
        svg.leaf("text", xTitle, "class", "tick middle", "x", (LEFT + WIDTH - RIGHT) / 2, "y", bottom() + 34);
    }

    /** Begins a drawing of a height. */
    static void openDrawing(Markup svg, String description, double height) {
        svg.open(
                "svg",
                "viewBox",
                "0 0 " + Numbers.coordinate(WIDTH) + " " + Numbers.coordinate(height),
                "role",
                "img",
                "aria-label",
                description);
    }
}
