package io.gpuquant.ptx.syntax;

import java.util.List;

/**
 * A PTX file.
 *
 * @param name for messages
 * @param version {@code .version} times ten, such as 74
 * @param target such as {@code sm_80}
 * @param variables variables of the module
 */
public record PtxFile(String name, int version, String target, List<Variable> variables, List<Entry> entries) {

    public PtxFile {
        variables = List.copyOf(variables);
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
