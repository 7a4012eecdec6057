package io.gpuquant.report;

import io.gpuquant.evaluate.LinearError;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The errors of a checkpoint's linears: a column for each layer, a row for each kind of linear. */
final class HeatMap {

    private static final double LEFT = 92;
    private static final double ROW = 26;
    private static final double BOTTOM = 36;
    private static final double GAP = 1.5;

    /** A cell at least this wide has its value written in it. */
    private static final double WIDE = 44;

    private static final double LABEL_DISTANCE = 26;

    private HeatMap() {}

    /** Draws the errors. @param scale logarithmic, the same for all checkpoints that are to be compared by colour */
    static void draw(Markup svg, String description, List<LinearError> errors, Axis scale) {
        Map<String, Map<Integer, List<LinearError>>> cells = cells(errors);
        int layers = 1 + errors.stream().mapToInt(LinearError::layer).max().orElse(0);
        double width = (Frame.WIDTH - LEFT) / layers;
        double bottom = ROW * cells.size();
        Frame.openDrawing(svg, description, bottom + BOTTOM);
        int row = 0;
        for (Map.Entry<String, Map<Integer, List<LinearError>>> entry : cells.entrySet()) {
            double top = ROW * row++;
            svg.leaf("text", entry.getKey(), "class", "tick end", "x", LEFT - 8, "y", top + ROW / 2 + 4);
            entry.getValue().forEach((layer, ofCell) -> drawCell(svg, LEFT + layer * width, top, width, ofCell, scale));
        }
        int stride = Math.max(1, (int) Math.ceil(LABEL_DISTANCE / width));
        for (int layer = 0; layer < layers; layer += stride) {
            double center = LEFT + (layer + 0.5) * width;
            svg.leaf("text", String.valueOf(layer), "class", "tick middle", "x", center, "y", bottom + 15);
        }
        svg.leaf("text", "layer", "class", "tick middle", "x", (LEFT + Frame.WIDTH) / 2, "y", bottom + 31);
        svg.close();
    }

    private static void drawCell(
            Markup svg, double left, double top, double width, List<LinearError> ofCell, Axis scale) {
        LinearError worst = ofCell.getFirst();
        for (LinearError error : ofCell) {
            worst = error.error() > worst.error() ? error : worst;
        }
        double share = worst.error() > 0 ? scale.position(worst.error()) : 0;
        String title = worst.linear().name() + ": " + Numbers.significant(worst.error(), 4)
                + (ofCell.size() > 1 ? ", the largest of " + ofCell.size() : "");
        svg.shape(
                "rect",
                title,
                "fill",
                Palette.ramp(share),
                "x",
                left + GAP / 2,
                "y",
                top + GAP / 2,
                "width",
                Math.max(1, width - GAP),
                "height",
                ROW - GAP,
                "rx",
                width > 3 * GAP ? 2.0 : 0.0);
        if (width >= WIDE) {
            svg.leaf(
                    "text",
                    Numbers.significant(worst.error(), 2),
                    "class",
                    Palette.isLight(share) ? "cell onlight" : "cell ondark",
                    "x",
                    left + width / 2,
                    "y",
                    top + ROW / 2 + 4);
        }
    }

    /** Errors by kind of linear and layer. Experts of a layer share a cell. */
    private static Map<String, Map<Integer, List<LinearError>>> cells(List<LinearError> errors) {
        Map<String, Map<Integer, List<LinearError>>> cells = new LinkedHashMap<>();
        for (LinearError error : errors) {
            cells.computeIfAbsent(kind(error), key -> new LinkedHashMap<>())
                    .computeIfAbsent(error.layer(), key -> new ArrayList<>())
                    .add(error);
        }
        return cells;
    }

    /** What linears at the same place of different layers have in common: the last parts of their names. */
    static String kind(LinearError error) {
        String name = error.linear().nameInLayer();
        return name.replaceAll("(?<=\\.)\\d+(?=\\.)", "*").replaceFirst("^(self_attn|mlp)\\.", "");
    }
}
