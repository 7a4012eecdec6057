package io.gpuquant.ptx.syntax;

import java.util.List;
import java.util.Map;

/**
 * A kernel as written.
 *
 * @param parameters in order, with the offset each has in the parameter block
 * @param registers declared registers and their types, names unique across scopes
 * @param variables variables of the entry and of its module
 * @param labels index into {@code statements} that each label stands before; may equal their number
 * @param branchTables labels to branch to by index, by the name of their {@code .branchtargets} list
 * @param maxThreads product of {@code .maxntid} or {@code .reqntid}, or 1024 where neither is given
 */
public record Entry(
        String name,
        int line,
        List<Parameter> parameters,
        Map<String, PtxType> registers,
        List<Variable> variables,
        Map<String, Integer> labels,
        Map<String, List<String>> branchTables,
        List<Statement> statements,
        int maxThreads) {

    public Entry {
        parameters = List.copyOf(parameters);
        registers = Map.copyOf(registers);
        variables = List.copyOf(variables);
        labels = Map.copyOf(labels);
        branchTables = Map.copyOf(branchTables);
        statements = List.copyOf(statements);
    }

    /**
     * A kernel parameter.
     *
     * @param offset bytes from the start of the parameter block
     */
    public record Parameter(String name, PtxType type, int offset) {}
}
