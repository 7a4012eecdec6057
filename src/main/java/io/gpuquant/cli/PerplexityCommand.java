package io.gpuquant.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.calibration.EvaluationText;
import io.gpuquant.device.Device;
import io.gpuquant.evaluate.Evaluator;
import io.gpuquant.evaluate.LogProbabilityFile;
import io.gpuquant.evaluate.ReadableModel;
import io.gpuquant.evaluate.TokenScores;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gpuquant ppl}. */
@Command(
        name = "ppl",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        sortOptions = false,
        description = "Measures the perplexity of a checkpoint, plain, GPTQ, AWQ or GGUF, on a text.")
final class PerplexityCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "MODEL", description = ModelLocation.OR_GGUF)
    private Path model = Path.of("");

    @Mixin
    private final TextOption text = new TextOption();

    @Option(
            names = "--logprobs",
            paramLabel = "FILE",
            description = "Write the log-probability of every token but the first of each sequence as JSON lines.")
    private @Nullable Path logProbabilities;

    @Mixin
    private final ForwardDeviceOption device = new ForwardDeviceOption();

    @Mixin
    private final TraceOption trace = new TraceOption();

    @Mixin
    private final RunOptions run = new RunOptions();

    @Override
    public Integer call() {
        Path folder = ModelLocation.supported(spec, model);
        try (ReadableModel opened = ReadableModel.open(folder)) {
            EvaluationText evaluation = text.read(folder, opened.structure().config());
            TokenScores scores;
            try (TraceOption.Timeline timeline = trace.start();
                    Device where = timeline.watch(device.open())) {
                Evaluator evaluator = new Evaluator(where, opened.structure(), opened.weights(where));
                scores = evaluator.score(evaluation.sequences(), done -> {});
            }
            if (logProbabilities != null) {
                LogProbabilityFile.write(logProbabilities, evaluation.sequences(), scores);
            }
            print(evaluation, scores);
        }
        return 0;
    }

    private void print(EvaluationText evaluation, TokenScores scores) {
        var out = spec.commandLine().getOut();
        if (run.json) {
            ObjectNode json = Json.object();
            json.put("model", model.toString());
            json.put("text", text.text.toString());
            json.put("sequence_length", evaluation.sequences().length());
            json.put("sequences", evaluation.sequences().count());
            json.put("scored_tokens", scores.tokens());
            json.put("cross_entropy", scores.crossEntropy());
            json.put("perplexity", scores.perplexity());
            out.println(Json.text(json));
        } else {
            out.println(scores.sequences() + " sequences of "
                    + evaluation.sequences().length() + " tokens, "
                    + scores.tokens() + " scored, cross-entropy "
                    + String.format(Locale.ROOT, "%.6f", scores.crossEntropy()));
            out.println(String.format(Locale.ROOT, "%.6f", scores.perplexity()));
        }
        out.flush();
    }
}
