package io.gpuquant.cli;

import io.gpuquant.UsageException;
import io.gpuquant.calibration.EvaluationText;
import io.gpuquant.calibration.TextFile;
import io.gpuquant.calibration.TextTokenizer;
import io.gpuquant.evaluate.ReadableModel;
import io.gpuquant.model.ModelConfig;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options of the text that models are evaluated on. */
final class TextOption {

    private static final int DEFAULT_LENGTH = 2048;

    @Option(
            names = "--text",
            required = true,
            paramLabel = "FILE",
            description = "The text: a " + TextFile.FORMATS + ".")
    Path text = Path.of("");

    @Option(
            names = "--text-field",
            paramLabel = "NAME",
            defaultValue = TextFile.DEFAULT_TEXT_FIELD,
            description =
                    "The field of a row that holds the text or the list of messages. Default: ${DEFAULT-VALUE}, else"
                            + " messages or conversations.")
    private String textField = TextFile.DEFAULT_TEXT_FIELD;

    @Option(
            names = "--sequence-length",
            paramLabel = "N",
            description = "Tokens of a sequence. Default: 2048, or what the model can take if that is less.")
    private @Nullable Integer sequenceLength;

    @Option(names = "--tokens", paramLabel = "N", description = "The most tokens to use. Default: all.")
    private @Nullable Long tokens;

    @Option(
            names = "--tokenizer",
            paramLabel = "DIR",
            description =
                    "The folder of a checkpoint whose tokenizer to use. Default: the model's own; needed for a GGUF"
                            + " file.")
    private @Nullable Path tokenizerFolder;

    /** Reads and tokenizes the text for a model. */
    EvaluationText read(Path model, ModelConfig config) {
        int most = config.maxPositionEmbeddings();
        int length = sequenceLength == null ? Math.min(DEFAULT_LENGTH, most) : sequenceLength;
        if (length < 2 || length > most) {
            throw new UsageException("--sequence-length " + length + " does not fit this model; use 2 to " + most);
        }
        if (tokens != null && tokens < 1) {
            throw new UsageException("--tokens " + tokens + " is not a number of tokens; use 1 or more");
        }
        OptionalLong limit = tokens == null ? OptionalLong.empty() : OptionalLong.of(tokens);
        if (tokenizerFolder == null && ReadableModel.isGguf(model)) {
            throw new UsageException(
                    "the tokenizer of " + model + " cannot be taken from the GGUF file; give the folder"
                            + " of the checkpoint it was made from with --tokenizer");
        }
        Path folder = tokenizerFolder == null ? model : tokenizerFolder;
        try (TextTokenizer tokenizer = TextTokenizer.open(folder, config.vocabSize())) {
            return EvaluationText.read(new TextFile(text, textField), tokenizer, length, limit);
        }
    }
}
