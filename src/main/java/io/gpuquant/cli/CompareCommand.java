package io.gpuquant.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.calibration.EvaluationText;
import io.gpuquant.device.Device;
import io.gpuquant.evaluate.EvaluatedModel;
import io.gpuquant.evaluate.Evaluator;
import io.gpuquant.evaluate.ModelScores;
import io.gpuquant.evaluate.OpenModel;
import io.gpuquant.job.Sizes;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gpuquant compare}. */
@Command(
        name = "compare",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        sortOptions = false,
        description = "Compares quantized checkpoints with the one they were made from: size, perplexity, and how far"
                + " their predictions and layers are from its own.")
final class CompareCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "BASE", description = "The original. " + ModelLocation.DESCRIPTION)
    private Path base = Path.of("");

    @Parameters(
            index = "1..*",
            arity = "1..*",
            paramLabel = "QUANTIZED",
            description = "Checkpoints that were made from it, by their folders or names.")
    private List<Path> quantized = List.of();

    @Mixin
    private final TextOption text = new TextOption();

    @Mixin
    private final DeviceOption device = new DeviceOption();

    @Mixin
    private final RunOptions run = new RunOptions();

    /** A line of the result. */
    private record Row(Path folder, String format, long bytes, double bitsPerWeight, ModelScores scores) {}

    @Override
    public Integer call() {
        List<Path> folders = new ArrayList<>(List.of(base));
        folders.addAll(quantized);
        List<OpenModel> models = new ArrayList<>();
        try {
            Path original = ModelLocation.supported(spec, base);
            for (Path folder : folders) {
                Path found = folder.equals(base) ? original : ModelLocation.supported(spec, folder);
                models.add(OpenModel.open(found));
                requireComparable(folder, models);
            }
            EvaluationText evaluation =
                    text.read(original, models.getFirst().structure().config());
            List<Row> rows = rows(folders, models, evaluation);
            if (run.json) {
                spec.commandLine().getOut().println(json(rows, evaluation));
            } else {
                print(rows, evaluation, spec.commandLine().getOut());
            }
            spec.commandLine().getOut().flush();
        } finally {
            models.forEach(OpenModel::close);
        }
        return 0;
    }

    private void requireComparable(Path folder, List<OpenModel> models) {
        if (!Evaluator.isComparable(
                models.getFirst().structure(), models.getLast().structure())) {
            throw new InputException(folder + " has not the layers, hidden size and vocabulary of " + base
                    + "; compare checkpoints of the same model");
        }
    }

    private List<Row> rows(List<Path> folders, List<OpenModel> models, EvaluationText evaluation) {
        List<ModelScores> scores;
        try (Device where = device.open();
                ProgressDisplay progress =
                        new ProgressDisplay(spec.commandLine().getErr(), run.quiet)) {
            progress.deviceOpened(where.info());
            int layers = models.getFirst().structure().layers().size();
            List<EvaluatedModel> evaluated = models.stream()
                    .map(model -> new EvaluatedModel(model.structure(), model.weights(where)))
                    .toList();
            scores = new Evaluator(where, evaluated)
                    .compare(evaluation.sequences(), done -> progress.layerDone(done, layers));
        }
        long weights = models.getFirst().weightCount();
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < models.size(); i++) {
            long bytes = models.get(i).totalBytes();
            rows.add(new Row(folders.get(i), models.get(i).format(), bytes, 8.0 * bytes / weights, scores.get(i)));
        }
        return rows;
    }

    private void print(List<Row> rows, EvaluationText evaluation, PrintWriter out) {
        TextTable table = new TextTable();
        table.row("checkpoint", "format", "size", "bits/weight", "perplexity", "KL divergence", "top-1 agreement");
        for (Row row : rows) {
            ModelScores scores = row.scores;
            table.row(
                    String.valueOf(row.folder),
                    row.format,
                    Sizes.format(row.bytes),
                    String.format(Locale.ROOT, "%.2f", row.bitsPerWeight),
                    String.format(Locale.ROOT, "%.5f", scores.tokens().perplexity()),
                    String.format(Locale.ROOT, "%.6f", scores.divergence()),
                    String.format(Locale.ROOT, "%.2f %%", 100 * scores.agreement()));
        }
        table.print(out);
        out.println();
        TextTable layers = new TextTable();
        layers.row(layerHeader(rows));
        for (int layer = 0; layer < rows.getFirst().scores.layerErrors().size(); layer++) {
            List<String> cells = new ArrayList<>(List.of("layer " + layer));
            for (Row row : rows.subList(1, rows.size())) {
                cells.add(String.format(
                        Locale.ROOT, "%.3g", row.scores.layerErrors().get(layer)));
            }
            layers.row(cells.toArray(String[]::new));
        }
        layers.print(out);
        out.println();
        out.println(evaluation.sequences().count() + " sequences of "
                + evaluation.sequences().length() + " tokens of " + text.text + ", "
                + rows.getFirst().scores.tokens().tokens() + " predictions");
    }

    private static String[] layerHeader(List<Row> rows) {
        List<String> cells = new ArrayList<>(List.of("relative output error"));
        rows.stream().skip(1).forEach(row -> cells.add(String.valueOf(row.folder.getFileName())));
        return cells.toArray(String[]::new);
    }

    private String json(List<Row> rows, EvaluationText evaluation) {
        ObjectNode json = Json.object();
        json.put("text", text.text.toString());
        json.put("sequence_length", evaluation.sequences().length());
        json.put("sequences", evaluation.sequences().count());
        ArrayNode checkpoints = json.putArray("checkpoints");
        for (Row row : rows) {
            ObjectNode entry = checkpoints.addObject();
            entry.put("folder", row.folder.toString());
            entry.put("format", row.format);
            entry.put("bytes", row.bytes);
            entry.put("bits_per_weight", row.bitsPerWeight);
            entry.put("cross_entropy", row.scores.tokens().crossEntropy());
            entry.put("perplexity", row.scores.tokens().perplexity());
            entry.put("kl_divergence", row.scores.divergence());
            entry.put("top1_agreement", row.scores.agreement());
            ArrayNode errors = entry.putArray("layer_output_error");
            row.scores.layerErrors().forEach(errors::add);
        }
        return Json.text(json);
    }
}
