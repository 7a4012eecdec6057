package io.gpuquant.calibration;

import io.gpuquant.InputException;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * The special tokens before and after a text: those that the post-processor of tokenizer.json adds, but with or without the
 * first as {@code add_bos_token} in tokenizer_config.json says, and the last as {@code add_eos_token} says. Where that file is
 * silent the post-processor alone decides.
 *
 * @param before the ids before a text
 * @param after the ids after it
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record SpecialTokens(int[] before, int[] after) {

    /** A text that every tokenizer knows. */
    private static final String PROBE = "a";

    /** Makes the token ids of a text. */
    interface Encoder {

        int[] ids(String text, boolean withSpecialTokens);
    }

    /**
     * Finds them out.
     *
     * @return empty where the post-processor alone decides
     * @throws InputException when a token is to be added and there is none of that name
     */
    static Optional<SpecialTokens> of(TokenizerConfig config, Encoder encoder) {
        Optional<Boolean> bos = config.flag("add_bos_token");
        Optional<Boolean> eos = config.flag("add_eos_token");
        if (bos.isEmpty() && eos.isEmpty()) {
            return Optional.empty();
        }
        int[] plain = encoder.ids(PROBE, false);
        int[] full = encoder.ids(PROBE, true);
        int start = IntStream.rangeClosed(0, full.length - plain.length)
                .filter(i -> Arrays.equals(Arrays.copyOfRange(full, i, i + plain.length), plain))
                .findFirst()
                .orElse(0);
        int[] before = Arrays.copyOf(full, start);
        int[] after = Arrays.copyOfRange(full, Math.min(full.length, start + plain.length), full.length);
        if (bos.isPresent()) {
            before = first(before, id(config, "bos_token", encoder), bos.get());
        }
        if (eos.isPresent()) {
            after = last(after, id(config, "eos_token", encoder), eos.get());
        }
        return Optional.of(new SpecialTokens(before, after));
    }

    /** Without a token there is nothing to add, whatever a flag says. */
    private static int[] id(TokenizerConfig config, String key, Encoder encoder) {
        Optional<String> token = config.token(key);
        int[] id = token.map(text -> encoder.ids(text, false)).orElse(new int[0]);
        if (id.length > 1) {
            throw new InputException(config.file() + " has " + JsonText.quoted(token.orElseThrow()) + " as " + key
                    + ", which is no token of tokenizer.json; use the files that came with the checkpoint");
        }
        return id;
    }

    /** Ids that begin with one, or do not. */
    private static int[] first(int[] ids, int[] id, boolean wanted) {
        if (id.length == 1 && ids.length > 0 && ids[0] == id[0]) {
            return wanted ? ids : Arrays.copyOfRange(ids, 1, ids.length);
        }
        return wanted ? joined(id, ids) : ids;
    }

    /** Ids that end with one, or do not. */
    private static int[] last(int[] ids, int[] id, boolean wanted) {
        if (id.length == 1 && ids.length > 0 && ids[ids.length - 1] == id[0]) {
            return wanted ? ids : Arrays.copyOf(ids, ids.length - 1);
        }
        return wanted ? joined(ids, id) : ids;
    }

    private static int[] joined(int[] first, int[] second) {
        return IntStream.concat(Arrays.stream(first), Arrays.stream(second)).toArray();
    }

    /** The ids of a text with these around them. */
    int[] around(int[] ids) {
        return joined(before, joined(ids, after));
    }
}
