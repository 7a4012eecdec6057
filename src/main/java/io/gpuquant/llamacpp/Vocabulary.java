package io.gpuquant.llamacpp;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.InputException;
import io.gpuquant.gguf.GgufValue;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * A checkpoint's tokenizer as llama.cpp wants it: the {@code tokenizer.*} entries of a file's metadata. Three kinds of
 * tokenizers are known: SentencePiece with its tokenizer.model, the same as a tokenizer.json of BPE with bytes to fall back on, and
 * byte-level BPE.
 */
public final class Vocabulary {

    private static final Pattern BYTE_TOKEN = Pattern.compile("<0x[0-9A-Fa-f]{2}>");
    private static final String PREFIX = "tokenizer.ggml.";

    private final TokenizerFiles files;
    private final List<String> warnings = new ArrayList<>();
    private final int size;
    private final Optional<String> pre;

    private Vocabulary(TokenizerFiles files, int size, Optional<String> pre) {
        this.files = files;
        this.size = size;
        this.pre = pre;
    }

    /**
     * Reads the tokenizer of a checkpoint.
     *
     * @param folder with tokenizer.json or tokenizer.model
     * @param config the content of config.json
     * @param size rows of the embedding
     * @param pre the name of the pre-tokenizer, where it is not to be recognised
     * @throws InputException when there is no tokenizer, it is damaged, or llama.cpp has none of its kind
     */
    public static Metadata read(Path folder, JsonNode config, int size, Optional<String> pre) {
        TokenizerFiles files = TokenizerFiles.read(folder, config);
        Vocabulary vocabulary = new Vocabulary(files, size, pre);
        Map<String, GgufValue> entries = new LinkedHashMap<>(vocabulary.tokens());
        entries.putAll(SpecialTokens.read(files, size));
        entries.putAll(ChatTemplates.read(files));
        return new Metadata(entries, vocabulary.warnings);
    }

    /**
     * What a file says of its tokenizer.
     *
     * @param warnings what of the checkpoint's tokenizer it leaves out, a sentence each
     */
    public record Metadata(Map<String, GgufValue> entries, List<String> warnings) {

        public Metadata {
            entries = Collections.unmodifiableMap(new LinkedHashMap<>(entries));
            warnings = List.copyOf(warnings);
        }
    }

    private Map<String, GgufValue> tokens() {
        if (files.sentencePiece().isPresent()) {
            return sentencePiece(files.sentencePiece().get());
        }
        if (files.tokenizer().isEmpty()) {
            throw new InputException(files.folder()
                    + " has neither tokenizer.json nor tokenizer.model; download the checkpoint's tokenizer too");
        }
        String type = files.model().path("type").asText("");
        if (!type.equals("BPE") || !files.model().path("vocab").isObject()) {
            throw new InputException(files.tokenizerFile() + " is a tokenizer of type "
                    + (type.isEmpty() ? "unknown" : type)
                    + ", which llama.cpp has no equal of for language models; put the tokenizer.model beside it");
        }
        return files.model().path("byte_fallback").asBoolean(false) ? byteFallback() : byteLevel();
    }

    private Map<String, GgufValue> sentencePiece(Path file) {
        SentencePieceModel model = SentencePieceModel.read(file);
        TokenTable table = new TokenTable(file, size);
        for (int id = 0; id < model.pieces().size(); id++) {
            SentencePieceModel.Piece piece = model.pieces().get(id);
            table.set(id, piece.text(), piece.type(), piece.score());
        }
        TokenizerFiles.object(files.folder().resolve("added_tokens.json"))
                .properties()
                .forEach(
                        token -> table.setUserDefined(token.getValue().asInt(-1), token.getKey(), TokenTable.NO_SCORE));
        files.settings()
                .path("added_tokens_decoder")
                .properties()
                .forEach(token -> addDecoded(table, token.getKey(), token.getValue()));
        return pieces(table, model.addsSpace());
    }

    private void addDecoded(TokenTable table, String id, JsonNode token) {
        try {
            table.setAdded(
                    Integer.parseInt(id),
                    token.path("content").asText(""),
                    token.path("special").asBoolean(false),
                    TokenTable.NO_SCORE);
        } catch (NumberFormatException e) {
            throw new InputException(
                    files.folder().resolve("tokenizer_config.json") + " has an added token with the id " + id
                            + "; get the file again",
                    e);
        }
    }

    private Map<String, GgufValue> pieces(TokenTable table, boolean addsSpace) {
        table.warning().ifPresent(warnings::add);
        Map<String, GgufValue> entries = new LinkedHashMap<>();
        entries.put(PREFIX + "model", GgufValue.text("llama"));
        entries.put(PREFIX + "pre", GgufValue.text(pre.orElse("default")));
        entries.put(PREFIX + "tokens", table.tokens());
        entries.put(PREFIX + "scores", table.scores());
        entries.put(PREFIX + "token_type", table.types());
        entries.put(PREFIX + "add_space_prefix", GgufValue.flag(addsSpace));
        return entries;
    }

    /**
     * SentencePiece merges the pair whose token has the best score; BPE the pair whose merge comes first. So a token's score is
     * less by one for every merge that comes before its own.
     */
    private Map<String, GgufValue> byteFallback() {
        Map<String, Integer> ranks = new HashMap<>();
        List<String> merges = merges("\u2581");
        for (int i = 0; i < merges.size(); i++) {
            ranks.putIfAbsent(merges.get(i).replaceFirst(" ", ""), i);
        }
        TokenTable table = new TokenTable(files.tokenizerFile(), size);
        files.model().path("vocab").properties().forEach(token -> {
            String text = token.getKey();
            int id = token.getValue().asInt(-1);
            table.set(
                    id,
                    text,
                    BYTE_TOKEN.matcher(text).matches() ? TokenTable.Type.BYTE : TokenTable.Type.NORMAL,
                    -ranks.getOrDefault(text, merges.size() + Math.max(id, 0)));
        });
        addAddedTokens(table, TokenTable.NO_SCORE);
        JsonNode unknown =
                files.model().path("vocab").path(files.model().path("unk_token").asText(""));
        if (unknown.isInt()) {
            table.setType(unknown.intValue(), TokenTable.Type.UNKNOWN);
        }
        return pieces(
                table,
                prependsSpace(files.tokenizer().path("normalizer"))
                        || prependsSpace(files.tokenizer().path("pre_tokenizer")));
    }

    private static boolean prependsSpace(JsonNode step) {
        return switch (step.path("type").asText("")) {
            case "Prepend" -> true;
            case "Metaspace" ->
                !step.path("prepend_scheme")
                        .asText(step.path("add_prefix_space").asBoolean(true) ? "always" : "never")
                        .equals("never");
            case "Sequence" -> {
                boolean any = false;
                for (JsonNode part : step.has("normalizers") ? step.path("normalizers") : step.path("pretokenizers")) {
                    any |= prependsSpace(part);
                }
                yield any;
            }
            default -> false;
        };
    }

    private Map<String, GgufValue> byteLevel() {
        TokenTable table = new TokenTable(files.tokenizerFile(), size);
        files.model()
                .path("vocab")
                .properties()
                .forEach(token -> table.set(token.getValue().asInt(-1), token.getKey(), TokenTable.Type.NORMAL, 0));
        addAddedTokens(table, 0);
        table.warning().ifPresent(warnings::add);
        List<String> merges = merges("\u0120");
        if (merges.isEmpty()) {
            throw new InputException(files.tokenizerFile()
                    + " has no merges, without which llama.cpp cannot tokenize; get the file again");
        }
        Map<String, GgufValue> entries = new LinkedHashMap<>();
        entries.put(PREFIX + "model", GgufValue.text("gpt2"));
        entries.put(
                PREFIX + "pre",
                GgufValue.text(pre.orElseGet(() -> PreTokenizer.name(files.tokenizer(), files.tokenizerFile()))));
        entries.put(PREFIX + "tokens", table.tokens());
        entries.put(PREFIX + "token_type", table.types());
        entries.put(PREFIX + "merges", GgufValue.texts(merges));
        return entries;
    }

    private void addAddedTokens(TokenTable table, float score) {
        files.addedTokens().forEach(token -> table.setAdded(token.id(), token.content(), token.special(), score));
    }

    /** Merges as two parts with a space between them. @param space what stands for a space within a part */
    private List<String> merges(String space) {
        List<String> merges = new ArrayList<>();
        for (JsonNode merge : files.model().path("merges")) {
            if (merge.isTextual()) {
                merges.add(merge.textValue());
            } else if (merge.size() == 2) {
                merges.add(merge.path(0).asText("").replace(" ", space) + " "
                        + merge.path(1).asText("").replace(" ", space));
            } else {
                throw new InputException(files.tokenizerFile() + " has a merge of " + merge.size()
                        + " parts, where two are expected; get the file again");
            }
        }
        return merges;
    }
}
