package io.gpuquant.cli;

import io.gpuquant.InputException;
import io.gpuquant.calibration.EvaluationText;
import io.gpuquant.device.Device;
import io.gpuquant.evaluate.EvaluatedModel;
import io.gpuquant.evaluate.Evaluator;
import io.gpuquant.evaluate.MagnitudeHistogram;
import io.gpuquant.evaluate.ModelScores;
import io.gpuquant.evaluate.ReadableModel;
import io.gpuquant.report.ComparedCheckpoint;
import io.gpuquant.report.ComparisonPage;
import io.gpuquant.report.ComparisonReport;
import io.gpuquant.report.PageFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
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
            description = "Checkpoints or GGUF files that were made from it, by their paths or names.")
    private List<Path> quantized = List.of();

    @Mixin
    private final TextOption text = new TextOption();

    @Option(
            names = "--linears",
            description = "Compare each linear too: the error of its outputs for the inputs that BASE gives it.")
    private boolean linears;

    @Option(
            names = "--html",
            paramLabel = "FILE",
            description = "Write a page with plots as well; looks at each linear, as --linears does.")
    private @Nullable Path html;

    @Mixin
    private final ForwardDeviceOption device = new ForwardDeviceOption();

    @Mixin
    private final RunOptions run = new RunOptions();

    @Override
    public Integer call() {
        Optional<PageFile> page = Optional.ofNullable(html).map(PageFile::new);
        page.ifPresent(PageFile::check);
        ComparisonReport report = compare();
        ComparisonText printed = new ComparisonText(report);
        spec.commandLine().getOut().println(run.json ? Json.text(printed.json()) : printed.table());
        spec.commandLine().getOut().flush();
        page.ifPresent(file -> file.write(ComparisonPage.of(report)));
        return 0;
    }

    private ComparisonReport compare() {
        List<Path> folders = new ArrayList<>(List.of(base));
        folders.addAll(quantized);
        List<ReadableModel> models = new ArrayList<>();
        try {
            Path original = ModelLocation.supported(spec, base);
            for (Path folder : folders) {
                Path found = folder.equals(base) ? original : ModelLocation.supported(spec, folder);
                models.add(ReadableModel.open(found));
                requireComparable(folder, models);
            }
            EvaluationText evaluation =
                    text.read(original, models.getFirst().structure().config());
            return new ComparisonReport(
                    checkpoints(folders, models, evaluation),
                    text.text,
                    evaluation.sequences().count(),
                    evaluation.sequences().length());
        } finally {
            models.forEach(ReadableModel::close);
        }
    }

    private void requireComparable(Path folder, List<ReadableModel> models) {
        if (!Evaluator.isComparable(
                models.getFirst().structure(), models.getLast().structure())) {
            throw new InputException(folder + " has not the layers, hidden size and vocabulary of " + base
                    + "; compare checkpoints of the same model");
        }
    }

    private List<ComparedCheckpoint> checkpoints(
            List<Path> folders, List<ReadableModel> models, EvaluationText evaluation) {
        List<ModelScores> scores;
        try (Device where = device.open();
                ProgressDisplay progress =
                        new ProgressDisplay(spec.commandLine().getErr(), run.quiet, device)) {
            progress.deviceOpened(where.info());
            int layers = models.getFirst().structure().layers().size();
            List<EvaluatedModel> evaluated =
                    models.stream().map(model -> model.evaluated(where)).toList();
            Evaluator.Depth depth = looksAtLinears() ? Evaluator.Depth.LINEARS : Evaluator.Depth.LAYERS;
            scores = new Evaluator(where, evaluated)
                    .compare(evaluation.sequences(), depth, done -> progress.layerDone(done, layers));
        }
        long weights = models.getFirst().weightCount();
        List<ComparedCheckpoint> checkpoints = new ArrayList<>();
        for (int i = 0; i < models.size(); i++) {
            ReadableModel model = models.get(i);
            long bytes = model.totalBytes();
            checkpoints.add(new ComparedCheckpoint(
                    folders.get(i),
                    model.format(),
                    bytes,
                    8.0 * bytes / weights,
                    scores.get(i),
                    looksAtLinears() ? model.scales() : new MagnitudeHistogram()));
        }
        return checkpoints;
    }

    private boolean looksAtLinears() {
        return linears || html != null;
    }
}
