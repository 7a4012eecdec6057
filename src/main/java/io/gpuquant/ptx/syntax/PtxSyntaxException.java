package io.gpuquant.ptx.syntax;

import io.gpuquant.InternalException;

/** PTX text that cannot be read or uses what the virtual GPU does not know; says which file and line. */
public final class PtxSyntaxException extends InternalException {

    private static final long serialVersionUID = 1L;

    public PtxSyntaxException(String file, int line, String problem) {
        super(file + ":" + line + ": " + problem);
    }
}
