package io.gpuquant.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.evaluate.LinearError;
import io.gpuquant.evaluate.MagnitudeHistogram;
import io.gpuquant.evaluate.ModelScores;
import io.gpuquant.evaluate.WeightScores;
import io.gpuquant.job.Sizes;
import io.gpuquant.report.ComparedCheckpoint;
import io.gpuquant.report.ComparisonReport;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** A comparison as text, compact, and as JSON, with everything. */
final class ComparisonText {

    private final ComparisonReport report;

    ComparisonText(ComparisonReport report) {
        this.report = report;
    }

    String table() {
        StringWriter text = new StringWriter();
        PrintWriter out = new PrintWriter(text);
        scores().print(out);
        out.println();
        layers().print(out);
        out.println();
        if (report.base().scores().weights().isPresent()) {
            linears().print(out);
            out.println();
        }
        out.print(report.sequences() + " sequences of " + report.sequenceLength() + " tokens of " + report.text() + ", "
                + report.predictions() + " predictions");
        out.flush();
        return text.toString();
    }

    private TextTable scores() {
        TextTable table = new TextTable();
        table.row("checkpoint", "format", "size", "bits/weight", "perplexity", "KL divergence", "top-1 agreement");
        for (ComparedCheckpoint checkpoint : report.checkpoints()) {
            ModelScores scores = checkpoint.scores();
            table.row(
                    String.valueOf(checkpoint.folder()),
                    checkpoint.format(),
                    Sizes.format(checkpoint.bytes()),
                    String.format(Locale.ROOT, "%.2f", checkpoint.bitsPerWeight()),
                    String.format(Locale.ROOT, "%.5f", scores.tokens().perplexity()),
                    String.format(Locale.ROOT, "%.6f", scores.divergence()),
                    String.format(Locale.ROOT, "%.2f %%", 100 * scores.agreement()));
        }
        return table;
    }

    private TextTable layers() {
        TextTable table = new TextTable().row(header("relative output error"));
        for (int layer = 0; layer < report.base().scores().layerErrors().size(); layer++) {
            List<String> cells = new ArrayList<>(List.of("layer " + layer));
            for (ComparedCheckpoint checkpoint : report.others()) {
                cells.add(number(checkpoint.scores().layerErrors().get(layer)));
            }
            table.row(cells.toArray(String[]::new));
        }
        return table;
    }

    /** A row for each kind of linear: the mean error over the layers, and the largest. */
    private TextTable linears() {
        TextTable table = new TextTable().row(header("error of linears, mean (most)"));
        Set<String> kinds = new LinkedHashSet<>();
        linears(report.base()).forEach(error -> kinds.add(kind(error)));
        for (String kind : kinds) {
            List<String> cells = new ArrayList<>(List.of(kind));
            for (ComparedCheckpoint checkpoint : report.others()) {
                var errors = linears(checkpoint).stream()
                        .filter(error -> kind(error).equals(kind))
                        .mapToDouble(LinearError::error)
                        .summaryStatistics();
                cells.add(number(errors.getAverage()) + " (" + number(errors.getMax()) + ")");
            }
            table.row(cells.toArray(String[]::new));
        }
        return table;
    }

    private static List<LinearError> linears(ComparedCheckpoint checkpoint) {
        return checkpoint.scores().weights().map(WeightScores::linears).orElse(List.of());
    }

    /** The name within the layer, without the number of an expert. */
    private static String kind(LinearError error) {
        return error.linear().nameInLayer().replaceAll("(?<=\\.)\\d+(?=\\.)", "*");
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.3g", value);
    }

    private String[] header(String first) {
        List<String> cells = new ArrayList<>(List.of(first));
        report.others().forEach(checkpoint -> cells.add(checkpoint.name()));
        return cells.toArray(String[]::new);
    }

    ObjectNode json() {
        ObjectNode json = Json.object();
        json.put("text", report.text().toString());
        json.put("sequence_length", report.sequenceLength());
        json.put("sequences", report.sequences());
        ArrayNode checkpoints = json.putArray("checkpoints");
        for (ComparedCheckpoint checkpoint : report.checkpoints()) {
            ModelScores scores = checkpoint.scores();
            ObjectNode entry = checkpoints.addObject();
            entry.put("folder", checkpoint.folder().toString());
            entry.put("format", checkpoint.format());
            entry.put("bytes", checkpoint.bytes());
            entry.put("bits_per_weight", checkpoint.bitsPerWeight());
            entry.put("cross_entropy", scores.tokens().crossEntropy());
            entry.put("perplexity", scores.tokens().perplexity());
            entry.put("kl_divergence", scores.divergence());
            entry.put("top1_agreement", scores.agreement());
            ArrayNode errors = entry.putArray("layer_output_error");
            scores.layerErrors().forEach(errors::add);
            scores.weights().ifPresent(weights -> addWeights(entry, weights));
            if (checkpoint.scales().total() > 0) {
                entry.set("scale_magnitudes", histogram(checkpoint.scales()));
            }
        }
        return json;
    }

    private static void addWeights(ObjectNode entry, WeightScores weights) {
        ArrayNode linears = entry.putArray("linears");
        for (LinearError error : weights.linears()) {
            linears.addObject()
                    .put("name", error.linear().name())
                    .put("layer", error.layer())
                    .put("relative_output_error", error.error());
        }
        entry.set("weight_magnitudes", histogram(weights.weights()));
        if (weights.errors().total() > 0) {
            entry.set("weight_error_magnitudes", histogram(weights.errors()));
        }
    }

    /** The bins from the first that holds something to the last. */
    private static ObjectNode histogram(MagnitudeHistogram histogram) {
        int first = 0;
        int last = histogram.bins();
        while (first < last && histogram.count(first) == 0) {
            first++;
        }
        while (last > first && histogram.count(last - 1) == 0) {
            last--;
        }
        ObjectNode json = Json.object();
        json.put("bins_per_octave", MagnitudeHistogram.PER_OCTAVE);
        json.put("first_bin_log2", histogram.lowerLog2(first));
        json.put("zeros", histogram.zeros());
        ArrayNode counts = json.putArray("counts");
        for (int bin = first; bin < last; bin++) {
            counts.add(histogram.count(bin));
        }
        return json;
    }
}
