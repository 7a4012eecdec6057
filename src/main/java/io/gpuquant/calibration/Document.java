package io.gpuquant.calibration;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A document as a file has it: what becomes one run of tokens. */
sealed interface Document {

    /** How many characters it has, about. */
    int length();

    /** Text, which is tokenized with the special tokens that the tokenizer adds. */
    record Text(String text) implements Document {

        @Override
        public int length() {
            return text.length();
        }
    }

    /**
     * A conversation, which the chat template of the checkpoint makes text of, special tokens included.
     *
     * @param messages with at least the keys {@code role} and {@code content}
     * @param tools that the conversation may use, null if it names none
     * @param place the file and the row, for messages
     */
    record Chat(
            List<Map<String, @Nullable Object>> messages,
            @Nullable Object tools,
            String place) implements Document {

        @Override
        public int length() {
            return messages.stream()
                    .mapToInt(message -> String.valueOf(message.get("content")).length())
                    .sum();
        }
    }
}
