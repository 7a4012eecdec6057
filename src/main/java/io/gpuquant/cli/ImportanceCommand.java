package io.gpuquant.cli;

import io.gpuquant.UsageException;
import io.gpuquant.calibration.TextFile;
import io.gpuquant.gguf.ImportanceMatrix;
import io.gpuquant.job.ImportanceJob;
import io.gpuquant.job.ImportanceOptions;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gpuquant imatrix}. */
@Command(
        name = "imatrix",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        sortOptions = false,
        description =
                "Measures how much each input of a model's linears matters on a text, for gpuquant gguf --imatrix and"
                        + " for llama.cpp.")
final class ImportanceCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "MODEL", description = ModelLocation.DESCRIPTION)
    private Path model = Path.of("");

    @Option(
            names = "--calibration",
            paramLabel = "FILE",
            description = "Text like the model's users write: a " + TextFile.FORMATS
                    + ". Default: a mixed text that comes" + " with gpuquant.")
    private @Nullable Path text;

    @Option(
            names = "--text-field",
            paramLabel = "NAME",
            defaultValue = TextFile.DEFAULT_TEXT_FIELD,
            description = "The field of a row that holds the text. Default: ${DEFAULT-VALUE}.")
    private String textField = TextFile.DEFAULT_TEXT_FIELD;

    @Option(
            names = "--out",
            paramLabel = "FILE",
            description =
                    "The file to make. Default: MODEL.imatrix.gguf beside the model; in the current folder for a model"
                            + " in the cache.")
    private @Nullable Path out;

    @Option(
            names = "--chunk-size",
            paramLabel = "N",
            defaultValue = "512",
            description = "Tokens that the model reads at once, the text's beginning before each. Default:"
                    + " ${DEFAULT-VALUE}.")
    private int chunkSize = 512;

    @Option(
            names = "--chunks",
            paramLabel = "N",
            description = "The most pieces of that size. Default: all of the text.")
    private @Nullable Long chunks;

    @Option(
            names = "--process-output",
            description = "Measure the input of the output head too, unless it is the embedding.")
    private boolean processOutput;

    @Mixin
    private final ForwardDeviceOption device = new ForwardDeviceOption();

    @Mixin
    private final RunOptions run = new RunOptions();

    @Override
    public Integer call() {
        if (chunkSize < 2 || (chunks != null && chunks < 1)) {
            throw new UsageException("--chunk-size " + chunkSize + (chunks == null ? "" : " and --chunks " + chunks)
                    + " make no text; use 2 tokens or more and 1 piece or more");
        }
        Path folder = ModelLocation.supported(spec, model);
        Path output = out != null ? out : ImportanceJob.defaultOutput(model, ModelLocation.nameInCache(model));
        ImportanceOptions options = new ImportanceOptions(
                folder,
                output,
                text == null ? TextFile.builtIn() : new TextFile(text, textField),
                chunkSize,
                chunks == null ? OptionalLong.empty() : OptionalLong.of(chunks),
                processOutput);
        ImportanceMatrix matrix;
        try (ProgressDisplay progress = new ProgressDisplay(spec.commandLine().getErr(), run.quiet, device)) {
            matrix = new ImportanceJob(options, device::open, progress).run();
        }
        print(new ImportanceText(output, matrix));
        return 0;
    }

    private void print(ImportanceText made) {
        PrintWriter writer = spec.commandLine().getOut();
        if (run.json) {
            writer.println(Json.text(made.json()));
        } else {
            writer.println(made.summary());
            made.unseen().ifPresent(writer::println);
        }
        writer.flush();
    }
}
