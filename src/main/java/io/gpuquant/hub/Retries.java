package io.gpuquant.hub;

import io.gpuquant.ResourceException;
import java.io.IOException;
import java.time.Duration;

/** Repeats requests that failed, after pauses that grow, as long as repeating makes sense. */
final class Retries {

    private static final int MOST_FAILURES = 5;

    private final HubSettings settings;
    private final DownloadListener listener;
    private final String what;
    private int failures;

    /** @param what is asked for, in words */
    Retries(HubSettings settings, DownloadListener listener, String what) {
        this.settings = settings;
        this.listener = listener;
        this.what = what;
    }

    /** A request that may fail. */
    interface Request<T> {

        T send() throws IOException;
    }

    /** Sends a request until it succeeds. */
    static <T> T persist(HubSettings settings, DownloadListener listener, String what, Request<T> request) {
        Retries retries = new Retries(settings, listener, what);
        while (true) {
            try {
                return request.send();
            } catch (IOException failure) {
                retries.pauseAfter(failure);
            }
        }
    }

    /** Progress was made: what failed before does not count any more. */
    void progressed() {
        failures = 0;
    }

    /**
     * Waits before the next repetition.
     *
     * @throws ResourceException when there were too many failures in a row
     */
    void pauseAfter(IOException failure) {
        failures++;
        if (failures >= MOST_FAILURES) {
            throw new Unreachable(what, settings, failure);
        }
        listener.note(what + ": " + reason(failure) + "; trying again");
        Duration pause = settings.patience().multipliedBy(1L << (failures - 1));
        if (failure instanceof TemporaryAnswer answer && answer.asked().compareTo(pause) > 0) {
            pause = answer.asked();
        }
        try {
            Thread.sleep(pause);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new ResourceException(
                    "the download of " + what + " was interrupted; run the same command again", interrupted);
        }
    }

    static String reason(IOException failure) {
        String message = failure.getMessage();
        return message == null || message.isBlank() ? failure.getClass().getSimpleName() : message;
    }

    /** The hub could not be talked to. */
    static final class Unreachable extends ResourceException {

        private static final long serialVersionUID = 1L;

        Unreachable(String what, HubSettings settings, IOException cause) {
            super(
                    what + " cannot be had from " + settings.endpoint() + " (" + reason(cause)
                            + "); check the network and"
                            + " HF_ENDPOINT and run the same command again, which goes on where it stopped",
                    cause);
        }
    }
}
