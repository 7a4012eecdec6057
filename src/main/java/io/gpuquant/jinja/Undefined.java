package io.gpuquant.jinja;

/**
 * What a name stands for that nothing was given to: prints as nothing, counts as false, and has neither attributes nor
 * arithmetic.
 *
 * @param name what was asked for
 */
record Undefined(String name) {

    TemplateException refusal(int line) {
        return new TemplateException(line, "'" + name + "' is undefined");
    }
}
