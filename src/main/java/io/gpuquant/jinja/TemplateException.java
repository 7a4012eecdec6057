package io.gpuquant.jinja;

/** A template is not valid, or cannot render what it was given; also when it says so itself. */
public final class TemplateException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    TemplateException(String message) {
        super(message);
    }

    /** With the line of the template, counted from 1. */
    TemplateException(int line, String message) {
        super("line " + line + ": " + message);
    }
}
