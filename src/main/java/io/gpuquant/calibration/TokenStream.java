package io.gpuquant.calibration;

import java.util.ArrayList;
import java.util.List;

/** Turns the documents of a text file into their token ids, in file order. */
final class TokenStream {

    /** Characters that are tokenized at a time: enough to keep all processors busy, little enough to be no burden. */
    private static final int BATCH_CHARACTERS = 1 << 20;

    private TokenStream() {}

    /** What becomes of the tokens. */
    interface Sink {

        /** Takes the token ids of the next document, and tells whether it wants any more. */
        boolean accept(int[] ids);
    }

    /**
     * Tokenizes documents until the file ends or the sink has enough.
     *
     * @return how many documents the sink was given
     */
    static long read(TextFile file, TextTokenizer tokenizer, Sink sink) {
        long given = 0;
        try (Documents documents = file.documents()) {
            for (List<Document> batch = batch(documents); !batch.isEmpty(); batch = batch(documents)) {
                for (int[] ids : tokenizer.encodeAll(batch)) {
                    given++;
                    if (!sink.accept(ids)) {
                        return given;
                    }
                }
            }
        }
        return given;
    }

    private static List<Document> batch(Documents documents) {
        List<Document> batch = new ArrayList<>();
        long characters = 0;
        while (characters < BATCH_CHARACTERS) {
            Document document = documents.next();
            if (document == null) {
                break;
            }
            batch.add(document);
            characters += document.length();
        }
        return batch;
    }
}
