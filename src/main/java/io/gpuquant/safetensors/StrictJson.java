package io.gpuquant.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.exc.InputCoercionException;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import io.gpuquant.InputException;
import io.gpuquant.file.Quoted;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.MemorySegment;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Pulls values of an expected form out of untrusted JSON. Whatever is not of that form ends in one {@link InputException};
 * nothing is built up that the caller did not ask for, so that nesting and unknown content cost no memory.
 */
final class StrictJson implements Closeable {

    /** No object may have more keys; the largest public checkpoints have some hundred thousand tensors. */
    static final int MOST_KEYS = 1_000_000;

    // Names come from an untrusted file: they must not go into tables that outlive the parser.
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
            .build();

    /** Makes the failure for a file out of what is wrong with it. */
    @FunctionalInterface
    interface Failure {
        InputException because(String reason, @Nullable Throwable cause);
    }

    @FunctionalInterface
    private interface Step<T> {
        T run() throws IOException;
    }

    private final JsonParser parser;
    private final Failure failure;
    private final String document;
    private final CharsetEncoder encoder = StandardCharsets.UTF_8.newEncoder();

    /** A parser of {@code bytes}, which messages call {@code document}. */
    StrictJson(MemorySegment bytes, String document, Failure failure) {
        this.document = document;
        this.failure = failure;
        // A strict decoder of its own, because Jackson's byte parser lets overlong sequences and surrogates pass.
        InputStreamReader characters =
                new InputStreamReader(new SegmentInputStream(bytes), StandardCharsets.UTF_8.newDecoder());
        this.parser = guarded(() -> FACTORY.createParser(characters));
    }

    /** Steps into an object. */
    void startObject(String where) {
        expect(JsonToken.START_OBJECT, where);
    }

    /** The next key of the current object, or null at its end; {@code seen} holds the keys before it. */
    @Nullable
    String nextKey(Set<String> seen, String where) {
        // Inside an object Jackson gives keys and the end, and fails by itself at anything else.
        if (next() == JsonToken.END_OBJECT) {
            return null;
        }
        String key = wellFormed(guarded(parser::currentName), where);
        if (!seen.add(key)) {
            throw fail(where + " has the key " + Quoted.text(key) + " twice");
        }
        if (seen.size() > MOST_KEYS) {
            throw fail(where + " has more than " + MOST_KEYS + " keys");
        }
        return key;
    }

    /** A string. */
    String string(String where) {
        expect(JsonToken.VALUE_STRING, where);
        return wellFormed(guarded(parser::getText), where);
    }

    /** Fills {@code numbers} from an array and returns its length, which must not exceed that of {@code numbers}. */
    int counts(long[] numbers, String where) {
        expect(JsonToken.START_ARRAY, where);
        int length = 0;
        for (JsonToken token = next(); token != JsonToken.END_ARRAY; token = next()) {
            if (length == numbers.length) {
                throw fail(where + " has more than " + numbers.length + " numbers");
            }
            numbers[length++] = count(token, where);
        }
        return length;
    }

    /** Passes over a value of any form. */
    void skipValue() {
        next();
        guarded(parser::skipChildren);
    }

    /** Demands that nothing but white space follows. */
    void end() {
        if (guarded(parser::nextToken) != null) {
            throw fail(document + " goes on after its closing brace");
        }
    }

    InputException fail(String reason) {
        return failure.because(reason, null);
    }

    @Override
    public void close() {
        try {
            parser.close();
        } catch (IOException e) {
            throw new AssertionError("closing a parser of memory does no I/O", e);
        }
    }

    private long count(JsonToken token, String where) {
        if (token != JsonToken.VALUE_NUMBER_INT) {
            throw fail(where + " has " + described(token) + " where a whole number is expected");
        }
        try {
            if (guarded(parser::getText).startsWith("-")) {
                throw fail(where + " has a negative number");
            }
            return parser.getLongValue();
        } catch (InputCoercionException e) {
            throw failure.because(where + " has a number beyond 2^63-1", e);
        } catch (IOException e) {
            throw invalid(e);
        }
    }

    private void expect(JsonToken wanted, String where) {
        JsonToken token = next();
        if (token != wanted) {
            throw fail(where + " is " + described(token) + " where " + described(wanted) + " is expected");
        }
    }

    private JsonToken next() {
        JsonToken token = guarded(parser::nextToken);
        if (token == null) {
            throw fail(document + " has no JSON value");
        }
        return token;
    }

    private String wellFormed(String text, String where) {
        // JSON can escape half a surrogate pair; such a name could never be written as UTF-8 again.
        if (!encoder.canEncode(text)) {
            throw fail(where + " has a text that is not valid Unicode: " + Quoted.text(text));
        }
        return text;
    }

    private <T> T guarded(Step<T> step) {
        try {
            return step.run();
        } catch (IOException e) {
            throw invalid(e);
        }
    }

    private InputException invalid(IOException cause) {
        return switch (cause) {
            case CharacterCodingException e -> failure.because(document + " is not valid UTF-8", e);
            case StreamConstraintsException e ->
                failure.because(
                        document + " has a name, text, number or nesting that is too long near character " + position(),
                        e);
            default -> failure.because(document + " is not valid JSON near character " + position(), cause);
        };
    }

    private long position() {
        return parser.currentLocation().getCharOffset();
    }

    private static String described(JsonToken token) {
        return switch (token) {
            case START_OBJECT -> "an object";
            case START_ARRAY -> "an array";
            case VALUE_STRING -> "a string";
            case VALUE_NUMBER_INT -> "a whole number";
            case VALUE_NUMBER_FLOAT -> "a fractional number";
            default -> token.name().toLowerCase(Locale.ROOT).replace("value_", "");
        };
    }
}
