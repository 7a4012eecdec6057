package io.gpuquant.hub;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/** An answer that may be another one later: the hub is overloaded, or broken for now. */
final class TemporaryAnswer extends IOException {

    private static final long serialVersionUID = 1L;

    /** The longest pause that a hub may ask for. */
    private static final long MOST_SECONDS = 60;

    private final long secondsAsked;

    TemporaryAnswer(int status, Optional<String> retryAfter) {
        super("the hub answers with status " + status);
        secondsAsked = retryAfter
                .filter(text -> text.matches("[0-9]{1,4}"))
                .map(text -> Math.min(Long.parseLong(text), MOST_SECONDS))
                .orElse(0L);
    }

    /** The pause that the hub asks for, zero if it asks for none. */
    Duration asked() {
        return Duration.ofSeconds(secondsAsked);
    }
}
