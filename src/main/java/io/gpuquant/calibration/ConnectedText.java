package io.gpuquant.calibration;

import io.gpuquant.InputException;
import io.gpuquant.UsageException;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * A text as llama.cpp's tools read it: all documents, a line break between two of them, tokenized as one, and cut into
 * pieces of which the first token is replaced by the one that begins a text, where the tokenizer has such a token. A tail
 * shorter than a piece is left out.
 *
 * @param documents documents that were read
 * @param pieces in the order of the text
 */
public record ConnectedText(long documents, TokenSequences pieces) {

    /** Characters that are tokenized at once; texts are parted after a line break only, where tokenizers part them too. */
    private static final int PART_CHARACTERS = 1 << 22;

    /**
     * Reads a text.
     *
     * @param length tokens of a piece
     * @param most pieces to read at most
     * @throws InputException when the text is damaged, or shorter than one piece
     */
    public static ConnectedText read(TextFile file, TextTokenizer tokenizer, int length, OptionalLong most) {
        long limit = most.orElse(Long.MAX_VALUE);
        if (length < 1 || limit < 1) {
            throw new UsageException("pieces of " + length + " tokens, " + limit + " of them; use 1 or more of both");
        }
        int[] beginning = tokenizer.encode("");
        List<int[]> pieces = new ArrayList<>();
        SequenceCutter cutter = new SequenceCutter(length, piece -> {
            if (pieces.size() < limit) {
                if (beginning.length > 0) {
                    piece[0] = beginning[0];
                }
                pieces.add(piece);
            }
        });
        cutter.append(beginning);
        long documents = 0;
        StringBuilder part = new StringBuilder();
        try (Documents all = file.documents()) {
            for (Document next = all.next(); next != null && pieces.size() < limit; next = all.next()) {
                if (documents > 0) {
                    part.append('\n');
                }
                if (part.length() >= PART_CHARACTERS) {
                    cutter.append(tokenizer.encodePlain(part.toString()));
                    part.setLength(0);
                }
                part.append(tokenizer.text(next));
                documents++;
            }
        }
        if (pieces.size() < limit) {
            cutter.append(tokenizer.encodePlain(part.toString()));
        }
        if (pieces.isEmpty()) {
            throw CalibrationSet.tooShort(file, cutter.tokens(), length);
        }
        return new ConnectedText(documents, new TokenSequences(length, pieces));
    }
}
