package io.gpuquant.calibration;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gpuquant.InputException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.jspecify.annotations.Nullable;

/**
 * The tokenizer of a checkpoint: its tokenizer.json, run by the Hugging Face tokenizers library. Special tokens are added as
 * the file's post-processor says, but for the first and the last where {@code add_bos_token} or {@code add_eos_token} in
 * tokenizer_config.json says otherwise; a conversation gets those that its chat template writes. Truncation and padding that the file may ask for are switched off. Safe for use by several
 * threads; closing it waits for documents that are being encoded.
 */
public final class TextTokenizer implements AutoCloseable {

    private static final String FILE = "tokenizer.json";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path file;
    private final HuggingFaceTokenizer tokenizer;
    private final int vocabularySize;
    private final TokenizerConfig config;
    private final Optional<SpecialTokens> specialTokens;

    /** Empty until the first conversation, and afterwards what the checkpoint has. */
    private final AtomicReference<@Nullable Optional<ChatTemplate>> chatTemplate = new AtomicReference<>();

    /** Held for reading while native code uses the tokenizer, and for writing while it is freed. */
    private final ReadWriteLock use = new ReentrantReadWriteLock();

    private TextTokenizer(Path file, HuggingFaceTokenizer tokenizer, int vocabularySize, TokenizerConfig config) {
        this.file = file;
        this.tokenizer = tokenizer;
        this.vocabularySize = vocabularySize;
        this.config = config;
        specialTokens = SpecialTokens.of(config, this::ids);
    }

    /**
     * Opens the tokenizer of a checkpoint.
     *
     * @param modelFolder the folder with tokenizer.json
     * @param vocabularySize how many token ids the model has, {@code vocab_size} in its config.json
     * @throws InputException when tokenizer.json is missing or damaged
     * @throws io.gpuquant.ResourceException when the native tokenizer library cannot be loaded
     */
    public static TextTokenizer open(Path modelFolder, int vocabularySize) {
        Path file = modelFolder.resolve(FILE);
        if (!Files.isRegularFile(file)) {
            throw missing(modelFolder);
        }
        byte[] json = checkedJson(file);
        TokenizerConfig config = TokenizerConfig.of(modelFolder);
        NativeTokenizers.load();
        Map<String, String> options = Map.of("truncation", "false", "padding", "false", "addSpecialTokens", "true");
        try {
            return new TextTokenizer(
                    file,
                    HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(json), options),
                    vocabularySize,
                    config);
        } catch (InputException e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            throw damaged(file, String.valueOf(e.getMessage()), e);
        }
    }

    /**
     * The token ids of a text of any length.
     *
     * @throws InputException when the tokenizer cannot encode the text, or gives a token that the model does not have
     * @throws IllegalArgumentException when the text has half a surrogate pair
     */
    public int[] encode(String text) {
        return specialTokens.map(special -> special.around(ids(text, false))).orElseGet(() -> ids(text, true));
    }

    private int[] encode(Document document) {
        return switch (document) {
            case Document.Text text -> encode(text.text());
            // The template has written all special tokens, so none may be added.
            case Document.Chat chat -> ids(chatTemplate(chat).render(chat), false);
        };
    }

    /** The token ids of a text without the special tokens that the tokenizer would add. */
    int[] encodePlain(String text) {
        return ids(text, false);
    }

    /** A document as text; of a conversation, what the chat template makes of it. */
    String text(Document document) {
        return switch (document) {
            case Document.Text text -> text.text();
            case Document.Chat chat -> chatTemplate(chat).render(chat);
        };
    }

    private ChatTemplate chatTemplate(Document.Chat chat) {
        Optional<ChatTemplate> known = chatTemplate.get();
        if (known == null) {
            known = ChatTemplate.of(file.resolveSibling(""), config);
            chatTemplate.set(known);
        }
        return known.orElseThrow(() -> new InputException(chat.place() + " is a conversation, but " + file.getParent()
                + " has no chat template; put one into it as chat_template.jinja, or give text without roles"));
    }

    private int[] ids(String text, boolean withSpecialTokens) {
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new IllegalArgumentException("half a surrogate pair in the text");
        }
        // DJL's own Encoding also makes a string and a span for every token, which take more memory and time than the
        // ids.
        use.readLock().lock();
        try {
            long encoding = encoding(text, withSpecialTokens);
            try {
                return checked(encoding);
            } finally {
                TokenizersLibrary.LIB.deleteEncoding(encoding);
            }
        } finally {
            use.readLock().unlock();
        }
    }

    /**
     * The token ids of several documents, each encoded by itself, on all processors; the same ids as one after the other.
     *
     * @throws InputException the one that the first document with a fault gives, whatever the order of work
     */
    List<int[]> encodeAll(List<? extends Document> documents) {
        // A parallel stream gives up at the first exception and lets others go on in the background, so an outcome
        // is collected for every document before any is thrown.
        List<Outcome> outcomes = documents.parallelStream().map(this::outcome).toList();
        return outcomes.stream().map(Outcome::tokens).toList();
    }

    /** What encoding one text gave: tokens, or why there are none. */
    private sealed interface Outcome {

        int[] tokens();

        record Encoded(int[] tokens) implements Outcome {}

        record Refused(RuntimeException reason) implements Outcome {

            @Override
            public int[] tokens() {
                throw reason;
            }
        }
    }

    private Outcome outcome(Document text) {
        try {
            return new Outcome.Encoded(encode(text));
        } catch (RuntimeException reason) {
            return new Outcome.Refused(reason);
        }
    }

    private long encoding(String text, boolean withSpecialTokens) {
        try {
            return TokenizersLibrary.LIB.encode(tokenizer.getHandle(), text, withSpecialTokens);
        } catch (IllegalStateException e) {
            // The tokenizer was closed: a mistake of the caller, not of the file.
            throw e;
        } catch (RuntimeException e) {
            throw new InputException(
                    file + " cannot encode the text (" + e.getMessage()
                            + "); use the tokenizer.json that came with the checkpoint",
                    e);
        }
    }

    private int[] checked(long encoding) {
        long[] ids = TokenizersLibrary.LIB.getTokenIds(encoding);
        int[] tokens = new int[ids.length];
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] >= vocabularySize) {
                String token = TokenizersLibrary.LIB.getTokens(encoding)[i];
                throw new InputException(file + " gives the token " + ids[i] + " (" + JsonText.quoted(token)
                        + ") but the model has " + vocabularySize
                        + " tokens (vocab_size in config.json); use the tokenizer that belongs to the model");
            }
            tokens[i] = (int) ids[i];
        }
        return tokens;
    }

    @Override
    public void close() {
        use.writeLock().lock();
        try {
            tokenizer.close();
        } finally {
            use.writeLock().unlock();
        }
    }

    private static InputException missing(Path modelFolder) {
        if (!Files.isDirectory(modelFolder)) {
            return new InputException(modelFolder + " is no folder; give the folder of a Hugging Face checkpoint");
        }
        String found = Files.exists(modelFolder.resolve("tokenizer.model"))
                ? " has tokenizer.model but no tokenizer.json, and the former alone is not enough"
                : " has no tokenizer.json";
        return new InputException(modelFolder + found
                + "; make one with python -c \"from transformers import AutoTokenizer as T; T.from_pretrained('"
                + modelFolder + "').save_pretrained('" + modelFolder + "')\"");
    }

    /** The parts of a tokenizer.json that are checked before native code, which may abort the process, sees it. */
    @JsonIgnoreProperties(ignoreUnknown = true)
    private record Outline(
            @Nullable Model model,
            @JsonProperty("post_processor") @Nullable JsonNode postProcessor) {}

    @JsonIgnoreProperties(ignoreUnknown = true)
    private record Model(@Nullable Double dropout) {}

    private static byte[] checkedJson(Path file) {
        byte[] json;
        try {
            json = Files.readAllBytes(file);
        } catch (IOException e) {
            throw TextFile.unreadable(file, e);
        }
        try {
            Outline outline = JSON.readValue(json, Outline.class);
            if (outline == null || outline.model() == null) {
                throw damaged(file, "it has no \"model\"", null);
            }
            Double dropout = outline.model().dropout();
            if (dropout != null && dropout > 0) {
                throw new InputException(file + " has a dropout of " + dropout
                        + ", which makes its tokens random; set \"dropout\" to null in it");
            }
            if (outline.postProcessor() != null) {
                requireTemplateTokens(file, outline.postProcessor());
            }
            return json;
        } catch (JsonProcessingException e) {
            throw damaged(
                    file,
                    "line " + e.getLocation().getLineNr() + ", column "
                            + e.getLocation().getColumnNr(),
                    e);
        } catch (IOException e) {
            throw damaged(file, String.valueOf(e.getMessage()), e);
        }
    }

    /** Native code looks the special tokens of a template up without asking whether they are there. */
    private static void requireTemplateTokens(Path file, JsonNode processor) {
        processor.path("processors").forEach(part -> requireTemplateTokens(file, part));
        for (String template : List.of("single", "pair")) {
            for (JsonNode piece : processor.path(template)) {
                JsonNode token = piece.path("SpecialToken").path("id");
                if (token.isTextual() && !processor.path("special_tokens").has(token.textValue())) {
                    throw damaged(
                            file,
                            "its template \"" + template + "\" has the special token "
                                    + JsonText.quoted(token.textValue()) + ", which its special_tokens lack",
                            null);
                }
            }
        }
    }

    private static InputException damaged(Path file, String reason, @Nullable Exception cause) {
        return new InputException(
                file + " is damaged (" + reason + "); use the tokenizer.json that came with the checkpoint", cause);
    }
}
