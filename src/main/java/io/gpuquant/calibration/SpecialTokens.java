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
            int[] id = id(config, "bos_token", encoder);
            before = with(before, id, bos.get(), before.length > 0 && id.length > 0 && before[0] == id[0], 0);
        }
        if (eos.isPresent()) {
            int[] id = id(config, "eos_token", encoder);
            int last = after.length - 1;
            after = with(after, id, eos.get(), last >= 0 && id.length > 0 && after[last] == id[0], after.length);
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

    /** Ids with one more or one less, at the end where it belongs. */
    private static int[] with(int[] ids, int[] id, boolean wanted, boolean there, int place) {
        if (wanted && !there) {
            return place == 0 ? joined(id, ids) : joined(ids, id);
        }
        if (!wanted && there) {
            return place == 0 ? Arrays.copyOfRange(ids, 1, ids.length) : Arrays.copyOf(ids, ids.length - 1);
        }
        return ids;
    }

    private static int[] joined(int[] first, int[] second) {
        return IntStream.concat(Arrays.stream(first), Arrays.stream(second)).toArray();
    }

    /** The ids of a text with these around them. */
    int[] around(int[] ids) {
        return joined(before, joined(ids, after));
    }
}
