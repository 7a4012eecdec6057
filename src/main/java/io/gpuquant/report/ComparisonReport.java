package io.gpuquant.report;

import io.gpuquant.evaluate.ModelScores;
import java.nio.file.Path;
import java.util.List;

/**
 * A comparison of checkpoints with the first of them.
 *
 * @param text what they were compared on
 * @param sequences of the text
 * @param sequenceLength tokens of each
 */
public record ComparisonReport(List<ComparedCheckpoint> checkpoints, Path text, int sequences, int sequenceLength) {

    public ComparisonReport {
        checkpoints = List.copyOf(checkpoints);
    }

    /** What the others are compared with. */
    public ComparedCheckpoint base() {
        return checkpoints.getFirst();
    }

    /** Those that are compared with the base. */
    public List<ComparedCheckpoint> others() {
        return checkpoints.subList(1, checkpoints.size());
    }

    /** Tokens whose probabilities were compared. */
    public long predictions() {
        return base().scores().tokens().tokens();
    }

    /** How much more perplexed a checkpoint is than the base. */
    public double perplexityGap(ModelScores scores) {
        return scores.tokens().perplexity() - base().scores().tokens().perplexity();
    }
}
