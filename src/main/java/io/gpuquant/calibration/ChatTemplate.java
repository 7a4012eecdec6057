package io.gpuquant.calibration;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.InputException;
import io.gpuquant.jinja.JinjaTemplate;
import io.gpuquant.jinja.TemplateException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The chat template of a checkpoint: chat_template.jinja, else chat_template.json, else {@code chat_template} in
 * tokenizer_config.json, of several the one named default.
 */
final class ChatTemplate {

    private static final String FILE = "chat_template.jinja";
    private static final String KEY = "chat_template";

    private final Path file;
    private final JinjaTemplate template;
    private final Map<String, Object> specialTokens;

    private ChatTemplate(Path file, JinjaTemplate template, Map<String, Object> specialTokens) {
        this.file = file;
        this.template = template;
        this.specialTokens = specialTokens;
    }

    /** Where a template is, and its text. */
    private record Source(Path file, String text) {}

    /**
     * The template of a checkpoint.
     *
     * @throws InputException when it is damaged
     */
    static Optional<ChatTemplate> of(Path modelFolder, TokenizerConfig config) {
        return source(modelFolder, config)
                .map(source -> new ChatTemplate(source.file(), parse(source), config.specialTokens()));
    }

    private static Optional<Source> source(Path folder, TokenizerConfig config) {
        Path file = folder.resolve(FILE);
        if (Files.isRegularFile(file)) {
            return Optional.of(new Source(file, TokenizerConfig.read(file)));
        }
        Path json = folder.resolve("chat_template.json");
        if (Files.isRegularFile(json)) {
            return text(TokenizerConfig.readJson(json).path(KEY)).map(text -> new Source(json, text));
        }
        return text(config.json().path(KEY)).map(text -> new Source(config.file(), text));
    }

    private static Optional<String> text(JsonNode value) {
        for (JsonNode named : value) {
            if (named.path("name").asText("").equals("default")) {
                return Optional.of(named.path("template").asText(""));
            }
        }
        return value.isTextual() ? Optional.of(value.textValue()) : Optional.empty();
    }

    private static JinjaTemplate parse(Source source) {
        try {
            return JinjaTemplate.parse(source.text());
        } catch (TemplateException e) {
            throw new InputException(
                    "the chat template in " + source.file() + " cannot be read (" + e.getMessage()
                            + "); put one that can into " + FILE + " beside it, or give text without roles",
                    e);
        }
    }

    /** The text of a conversation, with all special tokens. */
    String render(Document.Chat chat) {
        Map<String, @Nullable Object> variables = new LinkedHashMap<>(specialTokens);
        variables.put("messages", List.copyOf(chat.messages()));
        variables.put("add_generation_prompt", false);
        if (chat.tools() != null) {
            variables.put("tools", chat.tools());
        }
        try {
            return template.render(variables);
        } catch (TemplateException e) {
            throw new InputException(
                    chat.place() + " does not fit the chat template in " + file + " (" + e.getMessage()
                            + "); fix or remove that row",
                    e);
        }
    }
}
