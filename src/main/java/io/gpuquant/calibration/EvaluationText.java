package io.gpuquant.calibration;

import io.gpuquant.InputException;
import io.gpuquant.UsageException;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * The sequences that a model is evaluated on, such as for its perplexity.
 *
 * <p>All documents, each tokenized with its special tokens, make one stream in file order, which is cut into consecutive
 * sequences that do not overlap; a tail shorter than a sequence is left out.
 *
 * @param file the text
 * @param documents documents that were read: all that have text, or those up to the token limit
 * @param sequences the sequences, in stream order
 */
public record EvaluationText(TextFile file, long documents, TokenSequences sequences) {

    /**
     * Reads the sequences from a text. Memory is 4 bytes a token.
     *
     * @param sequenceLength tokens of a sequence, at most what the model can take
     * @param tokenLimit the most tokens to use, all sequences together; the file is not read further than needed
     * @throws InputException when the file is damaged, or has fewer tokens than one sequence
     * @throws UsageException when the limit is less than one sequence
     */
    public static EvaluationText read(
            TextFile file, TextTokenizer tokenizer, int sequenceLength, OptionalLong tokenLimit) {
        if (sequenceLength < 1) {
            throw new IllegalArgumentException("sequence length " + sequenceLength);
        }
        long limit = tokenLimit.orElse(Long.MAX_VALUE) / sequenceLength;
        if (limit < 1) {
            throw new UsageException("--tokens " + tokenLimit.getAsLong() + " is less than one sequence of "
                    + sequenceLength + " tokens; raise --tokens or lower --sequence-length");
        }
        List<int[]> sequences = new ArrayList<>();
        SequenceCutter cutter = new SequenceCutter(sequenceLength, sequence -> {
            if (sequences.size() < limit) {
                sequences.add(sequence);
            }
        });
        long documents = TokenStream.read(file, tokenizer, ids -> {
            cutter.append(ids);
            return sequences.size() < limit;
        });
        if (sequences.isEmpty()) {
            throw CalibrationSet.tooShort(file, cutter.tokens(), sequenceLength);
        }
        return new EvaluationText(file, documents, new TokenSequences(sequenceLength, sequences));
    }
}
