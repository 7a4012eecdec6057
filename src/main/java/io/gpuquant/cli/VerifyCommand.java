package io.gpuquant.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.job.Verification;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gpuquant verify}. */
@Command(
        name = "verify",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        sortOptions = false,
        description = "Checks that a checkpoint is whole, and with --source that it stands for the original.")
final class VerifyCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "MODEL", description = ModelLocation.DESCRIPTION)
    private Path folder = Path.of("");

    @Option(
            names = "--source",
            paramLabel = "MODEL",
            description = "The original checkpoint, by its folder or its name.")
    private @Nullable Path source;

    @Mixin
    private final RunOptions run = new RunOptions();

    @Override
    public Integer call() {
        Verification.Summary summary = new Verification(ModelLocation.folder(spec, folder))
                .check(Optional.ofNullable(source).map(original -> ModelLocation.folder(spec, original)));
        var out = spec.commandLine().getOut();
        if (run.json) {
            ObjectNode json = Json.object();
            json.put("folder", folder.toString());
            json.put("tensors", summary.tensors());
            json.put("quantized_linears", summary.quantizedLinears());
            json.put("compared_tensors", summary.comparedTensors());
            json.put("worst_weight_error", summary.worstWeightError());
            json.put("worst_linear", summary.worstLinear());
            out.println(Json.text(json));
        } else {
            out.println(folder + " is in order: " + summary.tensors() + " tensors, " + summary.quantizedLinears()
                    + " quantized linears");
            if (source != null) {
                out.println(summary.comparedTensors() + " tensors compared with " + source
                        + (summary.worstLinear().isEmpty()
                                ? ""
                                : String.format(
                                        Locale.ROOT,
                                        "; largest relative weight error %.3g (%s)",
                                        summary.worstWeightError(),
                                        summary.worstLinear())));
            }
        }
        out.flush();
        return 0;
    }
}
