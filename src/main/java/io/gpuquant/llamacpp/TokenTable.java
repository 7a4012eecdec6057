package io.gpuquant.llamacpp;

import io.gpuquant.InputException;
import io.gpuquant.file.Quoted;
import io.gpuquant.gguf.GgufType;
import io.gpuquant.gguf.GgufValue;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Pattern;

/** Tokens by id, with their types and scores. Ids that the tokenizer does not use get a name of their own, because the model has rows for them. */
final class TokenTable {

    /** What a token is for. @see <a href="https://github.com/ggml-org/llama.cpp/blob/master/include/llama.h">llama.cpp, {@code llama_token_type}</a> */
    enum Type {
        NORMAL,
        UNKNOWN,
        CONTROL,
        USER_DEFINED,
        UNUSED,
        BYTE;

        int id() {
            return ordinal() + 1;
        }
    }

    /** Scores of tokens that no merge makes. */
    static final float NO_SCORE = -1000;

    private static final String SPACE = "\u2581";
    private static final Pattern LOOKS_SPECIAL =
            Pattern.compile("<\\|.*\\|>|<\uff5c.*\uff5c>|<unused.*>|<pad>|<mask>|<2mass>|\\[@BOS@\\]", Pattern.DOTALL);

    private final Path source;
    private final String[] texts;
    private final Type[] types;
    private final float[] scores;
    private final Map<Integer, String> beyond = new TreeMap<>();

    /**
     * @param source the file that names the tokens, for messages
     * @param size how many tokens the model has
     */
    TokenTable(Path source, int size) {
        this.source = source;
        texts = new String[size];
        types = new Type[size];
        scores = new float[size];
        Arrays.setAll(texts, id -> "[PAD" + id + "]");
        Arrays.fill(types, Type.UNUSED);
        Arrays.fill(scores, NO_SCORE);
    }

    int size() {
        return texts.length;
    }

    void set(int id, String text, Type type, float score) {
        if (id < 0 || id >= texts.length) {
            throw new InputException(source + " has a token " + Quoted.text(text) + " with the id " + id
                    + ", but the model has " + texts.length
                    + " tokens (vocab_size in config.json); use the tokenizer that belongs to the model");
        }
        texts[id] = text;
        types[id] = type;
        scores[id] = score;
    }

    /** Sets a token that was added to a finished vocabulary; one that the model has no row for is left out. */
    void setAdded(int id, String text, boolean special, float score) {
        boolean isControl = special || LOOKS_SPECIAL.matcher(text).matches();
        setIfThere(
                id, isControl ? text : text.replace(SPACE, " "), isControl ? Type.CONTROL : Type.USER_DEFINED, score);
    }

    /** The same for one that is of the text and nothing else. */
    void setUserDefined(int id, String text, float score) {
        setIfThere(id, text, Type.USER_DEFINED, score);
    }

    private void setIfThere(int id, String text, Type type, float score) {
        if (id >= texts.length) {
            beyond.put(id, text);
        } else {
            set(id, text, type, score);
        }
    }

    /** A sentence about tokens that are left out, if there are any. */
    Optional<String> warning() {
        if (beyond.isEmpty()) {
            return Optional.empty();
        }
        String first = Quoted.text(beyond.values().iterator().next());
        return Optional.of(
                beyond.size() == 1
                        ? source + " adds the token " + first + ", which the model has no row for; it is left out"
                        : source + " adds " + beyond.size() + " tokens, " + first
                                + " among them, which the model has no rows for; they are left out");
    }

    void setType(int id, Type type) {
        types[id] = type;
    }

    String text(int id) {
        return texts[id];
    }

    GgufValue tokens() {
        Map<String, Integer> ids = new HashMap<>();
        for (int id = 0; id < texts.length; id++) {
            Integer other = ids.putIfAbsent(texts[id], id);
            if (other != null) {
                throw new InputException(source + " has the token " + Quoted.text(texts[id]) + " twice, with the ids "
                        + other + " and " + id + ", which llama.cpp does not load; remove one of them");
            }
        }
        return GgufValue.texts(List.of(texts));
    }

    GgufValue types() {
        return new GgufValue.Array(
                GgufType.INT32,
                Arrays.stream(types).map(type -> (long) type.id()).toList());
    }

    GgufValue scores() {
        List<Double> values = new ArrayList<>(scores.length);
        for (float score : scores) {
            values.add((double) score);
        }
        return new GgufValue.Array(GgufType.FLOAT32, values);
    }
}
