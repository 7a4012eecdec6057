package io.gpuquant.calibration;

import io.gpuquant.InputException;
import java.util.List;

/**
 * The sequences that calibrate a quantization method, and a report of where they come from.
 *
 * <p>All documents, each tokenized with its special tokens, make one stream in file order. It is cut into consecutive
 * sequences, and what is left at its end makes one more together with the tokens before it, so no text is lost. When there
 * are more sequences than asked for, a choice that depends on the seed and on nothing else about the machine is made, and kept
 * in stream order.
 *
 * <p>The whole file is tokenized once, because a fair choice needs to know how many sequences there are; two processors get
 * through about 2.4 MB of text a second (measured). Memory is that of the chosen sequences, 4 bytes a token, and of a batch of
 * documents, however long the file is: 200 MB of text took a process of 300 MB.
 */
public record CalibrationSet(CalibrationReport report, TokenSequences sequences) {

    /**
     * Reads the sequences from a text.
     *
     * @throws InputException when the file is damaged, or has fewer tokens than one sequence
     */
    public static CalibrationSet read(TextFile file, TextTokenizer tokenizer, CalibrationOptions options) {
        Reservoir reservoir = new Reservoir(options.samples(), options.seed());
        SequenceCutter cutter = new SequenceCutter(options.sequenceLength(), reservoir::offer);
        long documents = TokenStream.read(file, tokenizer, ids -> {
            cutter.append(ids);
            return true;
        });
        long full = reservoir.offered();
        if (full == 0) {
            throw tooShort(file, cutter.tokens(), options.sequenceLength());
        }
        cutter.overlappingTail().ifPresent(reservoir::offer);

        List<Reservoir.Kept> kept = reservoir.inOrder();
        TokenSequences sequences = new TokenSequences(
                options.sequenceLength(), kept.stream().map(Reservoir.Kept::ids).toList());
        CalibrationReport report = new CalibrationReport(
                file.path(),
                file.textField(),
                documents,
                cutter.tokens(),
                options.sequenceLength(),
                reservoir.offered(),
                sequences.count(),
                options.seed(),
                sequences.sha256(),
                covered(kept, full, options.sequenceLength(), cutter.tail()) / (double) cutter.tokens());
        return new CalibrationSet(report, sequences);
    }

    /** How many tokens of the stream are in a kept sequence; the one at index {@code full} overlaps the one before it. */
    private static long covered(List<Reservoir.Kept> kept, long full, int length, int tail) {
        long covered = (long) kept.size() * length;
        boolean tailKept = kept.getLast().index() == full;
        boolean neighbourKept =
                tailKept && kept.size() > 1 && kept.get(kept.size() - 2).index() == full - 1;
        return neighbourKept ? covered - (length - tail) : covered;
    }

    /** The refusal of a text with fewer tokens than one sequence. */
    static InputException tooShort(TextFile file, long tokens, int length) {
        return new InputException(file.path() + " has " + tokens + " tokens, fewer than one sequence of " + length
                + "; lower --sequence-length or give more text");
    }
}
