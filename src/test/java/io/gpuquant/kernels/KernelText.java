package io.gpuquant.kernels;

/** Looks into the text of kernels. */
final class KernelText {

    private static final String START = ".visible .entry ";

    private KernelText() {}

    /** The text of one entry, from its name to its closing brace. */
    static String entry(String text, String name) {
        int start = text.indexOf(START + name + "(");
        if (start < 0) {
            throw new IllegalArgumentException("no entry " + name);
        }
        return text.substring(start, text.indexOf("\n}\n", start));
    }
}
