package io.gpuquant.report;

import io.gpuquant.evaluate.LinearError;
import io.gpuquant.evaluate.MagnitudeHistogram;
import io.gpuquant.evaluate.WeightScores;
import io.gpuquant.job.Sizes;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.ToDoubleFunction;

/** A comparison as one HTML page: a table, and plots to look at. It loads nothing, and runs nothing. */
public final class ComparisonPage {

    private static final String STYLE = "page.css";
    private static final double LAYERS_HEIGHT = 210;
    private static final int RAMP_STEPS = 24;

    private final ComparisonReport report;
    private final Markup html = new Markup();

    private ComparisonPage(ComparisonReport report) {
        this.report = report;
    }

    /** The page. */
    public static String of(ComparisonReport report) {
        ComparisonPage page = new ComparisonPage(report);
        page.write();
        return page.html.toString();
    }

    private void write() {
        html.raw("<!DOCTYPE html>\n").open("html", "lang", "en").open("head");
        html.single("meta", "charset", "utf-8");
        html.single("meta", "name", "viewport", "content", "width=device-width, initial-scale=1");
        html.single("meta", "name", "color-scheme", "content", "light dark");
        html.leaf("title", report.base().name() + " and what was made of it");
        html.open("style").raw(style()).close().close().open("body").open("main");
        header();
        table();
        html.open("div", "class", "grid");
        bars("Size", "all tensors", checkpoint -> checkpoint.bytes(), bytes -> Sizes.format((long) bytes), true);
        bars(
                "KL divergence",
                "nats per token, from the base's predictions",
                checkpoint -> checkpoint.scores().divergence(),
                value -> Numbers.significant(value, 3),
                false);
        bars(
                "Perplexity lost",
                "above the base's " + number(report.base().scores().tokens().perplexity(), 5),
                checkpoint -> report.perplexityGap(checkpoint.scores()),
                value -> signed(value, 5),
                false);
        layers();
        distributions();
        html.close();
        heatMaps();
        html.close().close().close().raw("\n");
    }

    private void header() {
        html.open("header");
        html.leaf("h1", report.base().name());
        html.open("p").text("compared with ");
        html.text(
                report.others().size() == 1
                        ? "a checkpoint that was made from it"
                        : report.others().size() + " checkpoints that were made from it");
        html.text(", on " + Numbers.count(report.sequences()) + " sequences of "
                + Numbers.count(report.sequenceLength()) + " tokens of ");
        html.leaf("span", String.valueOf(report.text().getFileName()), "title", report.text())
                .text(": " + Numbers.count(report.predictions()) + " predictions")
                .close();
        html.close();
    }

    private void table() {
        html.open("div", "class", "scroll").open("table").open("thead").open("tr");
        for (String title : List.of(
                "checkpoint",
                "format",
                "size",
                "bits per weight",
                "perplexity",
                "KL divergence",
                "top-1 agreement",
                "error after last layer")) {
            html.leaf("th", title);
        }
        html.close().close().open("tbody");
        for (int i = 0; i < report.checkpoints().size(); i++) {
            ComparedCheckpoint checkpoint = report.checkpoints().get(i);
            html.open("tr").open("td");
            swatch(i);
            html.leaf("span", checkpoint.name(), "title", checkpoint.folder()).close();
            html.leaf("td", checkpoint.format());
            html.leaf("td", Sizes.format(checkpoint.bytes()));
            html.leaf("td", number(checkpoint.bitsPerWeight(), 2));
            html.leaf("td", number(checkpoint.scores().tokens().perplexity(), 5));
            html.leaf(
                    "td", i == 0 ? "–" : Numbers.significant(checkpoint.scores().divergence(), 3));
            html.leaf("td", i == 0 ? "–" : number(100 * checkpoint.scores().agreement(), 2) + " %");
            html.leaf(
                    "td",
                    i == 0
                            ? "–"
                            : Numbers.significant(
                                    checkpoint.scores().layerErrors().getLast(), 3));
            html.close();
        }
        html.close().close().close();
    }

    private void swatch(int checkpoint) {
        html.open("span", "class", "swatch " + Palette.of(checkpoint)).close();
    }

    /** Text for a number. */
    private interface Label {
        String of(double value);
    }

    private void bars(
            String title, String unit, ToDoubleFunction<ComparedCheckpoint> value, Label label, boolean withBase) {
        List<BarPlot.Bar> bars = new ArrayList<>();
        for (int i = withBase ? 0 : 1; i < report.checkpoints().size(); i++) {
            ComparedCheckpoint checkpoint = report.checkpoints().get(i);
            double number = value.applyAsDouble(checkpoint);
            bars.add(new BarPlot.Bar(i, checkpoint.name(), number, label.of(number)));
        }
        openCard(title, unit);
        BarPlot.draw(html, title, bars);
        html.close();
    }

    private void layers() {
        List<LinePlot.Line> lines = new ArrayList<>();
        List<Double> positive = new ArrayList<>();
        for (int i = 1; i < report.checkpoints().size(); i++) {
            ComparedCheckpoint checkpoint = report.checkpoints().get(i);
            List<LinePlot.Point> points = new ArrayList<>();
            for (int layer = 0; layer < checkpoint.scores().layerErrors().size(); layer++) {
                double error = checkpoint.scores().layerErrors().get(layer);
                if (error > 0) {
                    positive.add(error);
                    points.add(new LinePlot.Point(
                            layer,
                            error,
                            checkpoint.name() + ", after layer " + layer + ": " + Numbers.significant(error, 4)));
                }
            }
            lines.add(new LinePlot.Line(i, false, points));
        }
        if (positive.isEmpty()) {
            return;
        }
        String title = "Error after each layer";
        openCard(title, "squared distance of the residual stream to the base's, relative");
        legend(1);
        double smallest = positive.stream().min(Double::compare).orElseThrow();
        double largest = positive.stream().max(Double::compare).orElseThrow();
        Axis layers = Axis.indices(report.base().scores().layerErrors().size());
        LinePlot.draw(html, new Frame(LAYERS_HEIGHT, layers, Axis.around(smallest, largest)), title, "layer", lines);
        html.close();
    }

    private void distributions() {
        List<Histograms.Distribution> weights = new ArrayList<>();
        List<Histograms.Distribution> scales = new ArrayList<>();
        for (int i = 0; i < report.checkpoints().size(); i++) {
            ComparedCheckpoint checkpoint = report.checkpoints().get(i);
            Optional<WeightScores> scores = checkpoint.scores().weights();
            if (scores.isPresent()) {
                MagnitudeHistogram shown =
                        i == 0 ? scores.get().weights() : scores.get().errors();
                String what = i == 0 ? "weights" : "errors of " + checkpoint.name();
                weights.add(new Histograms.Distribution(i, what, shown));
            }
            scales.add(new Histograms.Distribution(i, "scales of " + checkpoint.name(), checkpoint.scales()));
        }
        distribution(
                "Weights and their errors",
                "the base's weights, and what they differ by in each checkpoint",
                "magnitude",
                0,
                weights);
        distribution("Scales", "the steps between neighbouring values of weights", "scale", 1, scales);
    }

    private void distribution(
            String title, String unit, String xTitle, int first, List<Histograms.Distribution> distributions) {
        Markup plot = new Markup();
        if (Histograms.draw(plot, title, xTitle, distributions)) {
            openCard(title, unit + ", % of them per quarter octave");
            legend(first);
            html.raw(plot.toString()).close();
        }
    }

    private void heatMaps() {
        List<LinearError> all = report.others().stream()
                .flatMap(checkpoint -> checkpoint.scores().weights().stream())
                .flatMap(scores -> scores.linears().stream())
                .filter(error -> error.error() > 0)
                .toList();
        if (all.isEmpty()) {
            return;
        }
        double least = all.stream().mapToDouble(LinearError::error).min().orElseThrow();
        double most = all.stream().mapToDouble(LinearError::error).max().orElseThrow();
        Axis scale = new Axis(true, least, most > least ? most : 2 * least);
        html.open("section").leaf("h2", "Error by layer and linear");
        html.leaf(
                "p",
                "squared distance of a linear's outputs to the base's, relative, when both get the inputs that the base"
                        + " gives it: tr(ΔW G ΔWᵀ) / tr(W G Wᵀ)",
                "class",
                "unit");
        ramp(least, most);
        html.close().open("div", "class", "grid");
        for (int i = 1; i < report.checkpoints().size(); i++) {
            ComparedCheckpoint checkpoint = report.checkpoints().get(i);
            Optional<WeightScores> scores = checkpoint.scores().weights();
            if (scores.isPresent()) {
                html.open("figure").open("figcaption");
                swatch(i);
                html.leaf("strong", checkpoint.name(), "title", checkpoint.folder())
                        .close();
                HeatMap.draw(html, "errors by layer and linear", scores.get().linears(), scale);
                html.close();
            }
        }
        html.close();
    }

    /** What the colours of heat maps mean. */
    private void ramp(double least, double most) {
        html.open("p", "class", "ramp").text(Numbers.significant(least, 2) + " ");
        html.open("span", "class", "steps");
        for (int i = 0; i < RAMP_STEPS; i++) {
            html.open("i", "style", "background:" + Palette.ramp((double) i / (RAMP_STEPS - 1)))
                    .close();
        }
        html.close().text(" " + Numbers.significant(most, 2)).close();
    }

    private void openCard(String title, String unit) {
        html.open("figure").open("figcaption").leaf("strong", title).text(" ").leaf("span", unit, "class", "unit");
        html.close();
    }

    private void legend(int first) {
        html.open("p", "class", "legend");
        for (int i = first; i < report.checkpoints().size(); i++) {
            html.open("span");
            swatch(i);
            html.text(BarPlot.shortened(report.checkpoints().get(i).name()))
                    .close()
                    .text(" ");
        }
        html.close();
    }

    private static String number(double value, int decimals) {
        return String.format(Locale.ROOT, "%." + decimals + "f", value);
    }

    private static String signed(double value, int decimals) {
        return String.format(Locale.ROOT, "%+." + decimals + "f", value);
    }

    private static String style() {
        try (InputStream stream = ComparisonPage.class.getResourceAsStream(STYLE)) {
            if (stream == null) {
                throw new IllegalStateException(STYLE + " is missing from the program");
            }
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
    }
}
