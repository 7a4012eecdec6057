package io.gpuquant.ptx.syntax;

import java.util.List;

/**
 * A PTX file.
 *
 * @param name for messages
 * @param version {@code .version} times ten, such as 74
 * @param target such as {@code sm_80}
 */
public record PtxFile(String name, int version, String target, List<Entry> entries) {

    public PtxFile {
        entries = List.copyOf(entries);
    }

    /**
     * Reads PTX text.
     *
     * @throws PtxSyntaxException when it is not PTX, or uses a directive the virtual GPU does not know
     */
    public static PtxFile parse(String name, String text) {
        return new Parser(name, text).parseFile();
    }
}
