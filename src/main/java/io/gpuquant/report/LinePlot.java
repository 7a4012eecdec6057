package io.gpuquant.report;

import java.util.List;
import java.util.StringJoiner;

/** Lines through points, one line to a checkpoint. */
final class LinePlot {

    private LinePlot() {}

    /** A place on a line. @param title what a pointer that rests on it is told */
    record Point(double x, double y, String title) {}

    /**
     * A line.
     *
     * @param color the number of its checkpoint
     * @param filled whether it is the edge of an area, without marks on its points
     */
    record Line(int color, boolean filled, List<Point> points) {

        Line {
            points = List.copyOf(points);
        }
    }

    /** Draws lines in a frame. */
    static void draw(Markup svg, Frame frame, String description, String xTitle, List<Line> lines) {
        frame.open(svg, description, xTitle);
        for (Line line : lines) {
            svg.open("g", "class", Palette.of(line.color));
            StringJoiner path = new StringJoiner(" L", "M", "");
            line.points.forEach(point ->
                    path.add(Numbers.coordinate(frame.x(point.x)) + " " + Numbers.coordinate(frame.y(point.y))));
            if (line.filled && !line.points.isEmpty()) {
                String area = path + " L" + corner(frame, line.points.getLast()) + " L"
                        + corner(frame, line.points.getFirst()) + " Z";
                svg.open("path", "class", "area", "d", area).close();
            }
            if (line.points.size() > 1) {
                svg.open("path", "class", "line", "d", path).close();
            }
            for (Point point : line.points) {
                svg.shape(
                        "circle",
                        point.title,
                        "class",
                        line.filled ? "hidden" : "dot",
                        "cx",
                        frame.x(point.x),
                        "cy",
                        frame.y(point.y),
                        "r",
                        line.filled ? 6.0 : 3.5);
            }
            svg.close();
        }
        svg.close();
    }

    private static String corner(Frame frame, Point point) {
        return Numbers.coordinate(frame.x(point.x)) + " " + Numbers.coordinate(frame.bottom());
    }
}
