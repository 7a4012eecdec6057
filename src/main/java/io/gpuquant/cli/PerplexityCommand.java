package io.gpuquant.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.UsageException;
import io.gpuquant.calibration.EvaluationText;
import io.gpuquant.calibration.TextFile;
import io.gpuquant.calibration.TextTokenizer;
import io.gpuquant.device.Device;
import io.gpuquant.evaluate.Evaluator;
import io.gpuquant.evaluate.LogProbabilityFile;
import io.gpuquant.evaluate.OpenModel;
import io.gpuquant.evaluate.TokenScores;
import io.gpuquant.model.ModelConfig;
import java.nio.file.Path;
import java.util.Locale;
import java.util.OptionalLong;
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
        description = "Measures the perplexity of a checkpoint, plain, GPTQ or AWQ, on a text.")
final class PerplexityCommand implements Callable<Integer> {

    private static final int DEFAULT_LENGTH = 2048;

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "MODEL", description = "The folder of a checkpoint.")
    private Path model = Path.of("");

    @Option(
            names = "--text",
            required = true,
            paramLabel = "FILE",
            description = "The text: .jsonl with one document per line, or .txt.")
    private Path text = Path.of("");

    @Option(
            names = "--text-field",
            paramLabel = "NAME",
            defaultValue = TextFile.DEFAULT_TEXT_FIELD,
            description = "The field of a .jsonl line that holds the text. Default: ${DEFAULT-VALUE}.")
    private String textField = TextFile.DEFAULT_TEXT_FIELD;

    @Option(
            names = "--sequence-length",
            paramLabel = "N",
            description = "Tokens of a sequence. Default: 2048, or what the model can take if that is less.")
    private @Nullable Integer sequenceLength;

    @Option(names = "--tokens", paramLabel = "N", description = "The most tokens to use. Default: all.")
    private @Nullable Long tokens;

    @Option(
            names = "--logprobs",
            paramLabel = "FILE",
            description = "Write the log-probability of every token but the first of each sequence as JSON lines.")
    private @Nullable Path logProbabilities;

    @Mixin
    private final DeviceOption device = new DeviceOption();

    @Mixin
    private final RunOptions run = new RunOptions();

    @Override
    public Integer call() {
        TextFile file = new TextFile(text, textField);
        try (OpenModel opened = OpenModel.open(model)) {
            ModelConfig config = opened.structure().config();
            EvaluationText evaluation = read(file, config);
            TokenScores scores;
            try (Device where = device.open()) {
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

    private EvaluationText read(TextFile file, ModelConfig config) {
        int most = config.maxPositionEmbeddings();
        int length = sequenceLength == null ? Math.min(DEFAULT_LENGTH, most) : sequenceLength;
        if (length < 2 || length > most) {
            throw new UsageException("--sequence-length " + length + " does not fit this model; use 2 to " + most);
        }
        if (tokens != null && tokens < 1) {
            throw new UsageException("--tokens " + tokens + " is not a number of tokens; use 1 or more");
        }
        OptionalLong limit = tokens == null ? OptionalLong.empty() : OptionalLong.of(tokens);
        try (TextTokenizer tokenizer = TextTokenizer.open(model, config.vocabSize())) {
            return EvaluationText.read(file, tokenizer, length, limit);
        }
    }

    private void print(EvaluationText evaluation, TokenScores scores) {
        var out = spec.commandLine().getOut();
        if (run.json) {
            ObjectNode json = Json.object();
            json.put("model", model.toString());
            json.put("text", text.toString());
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
