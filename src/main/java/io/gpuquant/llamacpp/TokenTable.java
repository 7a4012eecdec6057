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

    /** Sets a token that was added to a finished vocabulary. */
    void setAdded(int id, String text, boolean special, float score) {
        if (special || LOOKS_SPECIAL.matcher(text).matches()) {
            set(id, text, Type.CONTROL, score);
        } else {
            set(id, text.replace(SPACE, " "), Type.USER_DEFINED, score);
        }
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
